"""What is installed: units, folders, users, and where files end up."""
