"""TOML to frozen pieces, all problems at once, each with its line."""
