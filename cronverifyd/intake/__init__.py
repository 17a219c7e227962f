"""From the outcome files to complete lines."""
