"""Instants between Python and SQLite: whole microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Turn an aware instant into microseconds, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def to_us_or_none(instant: datetime | None) -> int | None:
    """Do the same; None stays None."""
    return None if instant is None else to_us(instant)


def from_us(microseconds: int) -> datetime:
    """Turn microseconds into an instant in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def from_us_or_none(microseconds: int | None) -> datetime | None:
    """Do the same; None stays None."""
    return None if microseconds is None else from_us(microseconds)
