"""Read a schedule, in any of its forms."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.boots import Boots
from cronverifyd.judge.cron import cron, read_fields
from cronverifyd.judge.oncalendar import PREFIX, read_oncalendar
from cronverifyd.judge.periods import read_every
from cronverifyd.judge.slots import Schedule
from cronverifyd.judge.walls import find_zone

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

__all__ = ["Schedule", "parse"]

_MAX_LENGTH = 1_000
"""A field of Debian's crontab has no room for more (MAX_TEMPSTR)."""

_FORMS = (
    f'"0 3 * * *" (five cron fields), "06:00", "every 15m", "{PREFIX} Mon..Fri 06:00" '
    "or a nickname such as @daily"
)
_REBOOT = "@reboot"
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_BEGINNINGS = tuple("0123456789*")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


def parse(text: str, timezone: str, boots: tuple[datetime, ...] = ()) -> Schedule:
    """Read a schedule: cron's five fields or nicknames, `06:00`, `every 15m` or `oncalendar: …`.

    `boots`: when this host was booted, as far as that was seen, oldest first; they are the slots
    of `@reboot`. Raises ScheduleError with a sentence when the schedule or the zone cannot be read,
    or when no slot ever comes.
    """
    if text.strip() != _REBOOT:
        return _parse(text, timezone)
    zone = find_zone(timezone).key
    return Boots(text=text, timezone=zone, shortest_gap_s=math.inf, boots=boots)


@lru_cache(maxsize=4096)
def _parse(text: str, timezone: str) -> Schedule:
    zone = find_zone(timezone)
    _check_characters(text)
    written = text.strip()
    if written.startswith(PREFIX):
        return read_oncalendar(text, written.removeprefix(PREFIX), zone)
    if written.startswith("every"):
        return read_every(text, zone.key)
    if written.startswith("@"):
        return cron(text, _nickname(written), zone)
    return _cron_or_clock(text, written, zone)


def _check_characters(text: str) -> None:
    if len(text) > _MAX_LENGTH:
        raise ScheduleError(f"must not be longer than {_MAX_LENGTH} characters (got {len(text)})")
    strange = next((character for character in text if not character.isascii()), None)
    if strange is not None:
        # cronsim takes a long s (U+017F) for an S, as str.upper() does.
        raise ScheduleError(f'must be plain ASCII, which "{strange}" is not (got "{text}")')


def _cron_or_clock(text: str, written: str, zone: ZoneInfo) -> Schedule:
    if not written.startswith(_BEGINNINGS) and len(written.split()) != 5:
        raise ScheduleError(f'must be {_FORMS} (got "{written}")')
    if ":" in written:
        return cron(text, _daily(written), zone)
    return read_fields(text, written, zone)


def _nickname(written: str) -> str:
    if written not in _NICKNAMES:
        known = " ".join((*_NICKNAMES, _REBOOT))
        raise ScheduleError(
            f'unknown nickname "{written}": cron knows, in lower case, {known}; '
            'a period is written "every 15m"'
        )
    return _NICKNAMES[written]


def _daily(written: str) -> str:
    clock = _CLOCK.fullmatch(written)
    if clock is None or int(clock[1]) > 23 or int(clock[2]) > 59:
        raise ScheduleError(f'a time of day must be "00:00" to "23:59" (got "{written}")')
    return f"{int(clock[2])} {int(clock[1])} * * *"
