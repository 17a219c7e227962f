"""Gather facts of this host, changing nothing."""
