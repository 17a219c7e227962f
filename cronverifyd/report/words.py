"""How verdicts and instants are said in few characters: in a terminal and on a page."""

from __future__ import annotations

from datetime import datetime

from cronverifyd.judge.duration import format_duration

LETTERS = {
    "ok": ".",
    "late": "l",
    "pending": "-",
    "missed": "M",
    "failed": "F",
    "overrun": "O",
    "interrupted": "I",
    "unmet": "U",
    "artifact": "A",
    "unknown": "?",
}


def slot(text: str) -> str:
    """Show a slot in its own zone, with its date; the offset only where it is not this host's."""
    at = datetime.fromisoformat(text)
    return at.strftime(f"%Y-%m-%d {_time(at)}") + _offset(at)


def instant(text: str, near: datetime) -> str:
    """Show an instant in the zone of `near`: the time, and the day where that is not its day."""
    at = datetime.fromisoformat(text).astimezone(near.tzinfo)
    if at.date() == near.date():
        return at.strftime(_time(at))
    day = "%m-%d" if at.year == near.year else "%Y-%m-%d"
    return at.strftime(f"{day} {_time(at)}")


def recent(text: str, now: datetime) -> str:
    """Show a slot in its own zone, as short as its distance from `now` allows."""
    at = datetime.fromisoformat(text)
    return instant(text, now.astimezone(at.tzinfo)) + _offset(at)


def roughly(text: str | None, now: datetime) -> str:
    """Show how long ago, or in how long, an instant is: with the largest unit alone."""
    return _away(text, now, words=2)


def ago(text: str | None, now: datetime) -> str:
    """Show how long ago, or in how long, an instant is."""
    return _away(text, now)


def _away(text: str | None, now: datetime, words: int | None = None) -> str:
    """Say a distance with its first words; a count and its unit are two."""
    if text is None:
        return "never"
    distance = (now - datetime.fromisoformat(text)).total_seconds()
    shown = " ".join(format_duration(round(distance)).split()[:words])
    return f"{shown} ago" if distance >= 0 else f"in {shown}"


def _time(at: datetime) -> str:
    return "%H:%M:%S" if at.second else "%H:%M"


def _offset(at: datetime) -> str:
    here = at.astimezone().utcoffset()
    return "" if at.utcoffset() == here else at.strftime("%z")
