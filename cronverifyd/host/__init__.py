"""What only this machine knows."""
