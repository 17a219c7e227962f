"""Instants as a message says them: in the job's zone, and in UTC."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from cronverifyd.model import Alert


def zone_of(alert: Alert) -> tzinfo:
    """Find the job's zone; where the host no longer knows it, the slot's own offset serves."""
    try:
        return ZoneInfo(alert.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return alert.slot.tzinfo or UTC


def in_zone(instant: datetime, zone: tzinfo) -> str:
    """Say `Tue 24 Nov 2026 03:00 CET`; with seconds where there are any."""
    local = instant.astimezone(zone)
    return f"{_day_and_time(local)} {local.tzname()}"


def in_utc(instant: datetime) -> str:
    """Say an instant in UTC."""
    return in_zone(instant, UTC)


def in_both_zones(instant: datetime, zone: tzinfo) -> str:
    """Say `Tue 24 Nov 2026 03:00 CET (02:00 UTC)`; the date twice only where it differs."""
    local, utc = instant.astimezone(zone), instant.astimezone(UTC)
    if local.tzname() == "UTC":
        return in_zone(instant, zone)
    return f"{in_zone(instant, zone)} ({_near(utc, local)} UTC)"


def by_deadline(alert: Alert) -> str:
    """Say the deadline in the job's zone; with its date where that is not the slot's."""
    zone = zone_of(alert)
    deadline = alert.deadline.astimezone(zone)
    return f"{_near(deadline, alert.slot.astimezone(zone))} {deadline.tzname()}"


def _near(instant: datetime, other: datetime) -> str:
    return _time(instant) if instant.date() == other.date() else _day_and_time(instant)


def _day_and_time(instant: datetime) -> str:
    return f"{instant:%a} {instant.day} {instant:%b %Y} {_time(instant)}"


def _time(instant: datetime) -> str:
    return f"{instant:%H:%M:%S}" if instant.second else f"{instant:%H:%M}"
