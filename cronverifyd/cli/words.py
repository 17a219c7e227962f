"""How verdicts and instants look in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from cronverifyd.judge.duration import format_duration
from cronverifyd.tell.text import one_line

STYLES = {
    "ok": "green",
    "late": "yellow",
    "pending": "dim",
    "missed": "bold red",
    "failed": "bold red",
    "overrun": "bold red",
}
LETTERS = {
    "ok": ".",
    "late": "l",
    "pending": "-",
    "missed": "M",
    "failed": "F",
    "overrun": "O",
}
LEGEND = "strip, oldest first: . ok  l late  - pending  M missed  F failed  O overrun"


def instant(text: str, now: datetime, zone: tzinfo | None = None) -> str:
    """Show an instant in a zone (its own, if None): the time, and the day if it is not today."""
    at = datetime.fromisoformat(text)
    if zone is not None:
        at = at.astimezone(zone)
    same_day = at.date() == now.astimezone(at.tzinfo).date()
    seconds = ":%S" if at.second else ""
    shown = at.strftime(f"%H:%M{seconds}" if same_day else f"%Y-%m-%d %H:%M{seconds}")
    return shown + _zone(at)


def ago(text: str | None, now: datetime) -> str:
    """Show how long ago, or in how long, an instant is."""
    if text is None:
        return "never"
    distance = (now - datetime.fromisoformat(text)).total_seconds()
    words = format_duration(round(distance))
    return f"{words} ago" if distance >= 0 else f"in {words}"


def safe(text: str | None, most: int = 400) -> str:
    """Make a job's own text fit for a terminal: one line, no control characters."""
    return one_line(text or "", most)


def _zone(at: datetime) -> str:
    offset = at.utcoffset()
    if offset is None or offset == timedelta():
        return "Z" if at.tzinfo is UTC or offset == timedelta() else ""
    return at.strftime("%z")[:5]
