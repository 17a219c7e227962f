"""The clock: read here, once a message, and passed on as `now`."""

from __future__ import annotations

from datetime import UTC, datetime


def read_clock() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)
