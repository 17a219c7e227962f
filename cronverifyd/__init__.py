"""Verify that every scheduled cron job on this host actually ran."""

__version__ = "0.1.0"
