"""Words for people: instants and counts as a sentence needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import datetime


def clock(instant: datetime, zone: str, *, near: datetime) -> str:
    """Say the time of day in `zone`; with the date where that is not the date of `near`."""
    local = instant.astimezone(ZoneInfo(zone))
    same_day = local.date() == near.astimezone(ZoneInfo(zone)).date()
    return local.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")


def plural(count: int, noun: str) -> str:
    """Say `1 slot`, `3 slots`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def quoted(text: str, most: int = 80) -> str:
    """Quote a job's own word, short and on one line."""
    flat = " ".join(text.split())
    return f'"{flat}"' if len(flat) <= most else f'"{flat[: most - 1]}…"'
