"""When a job was due, as Debian's cron starts jobs.

Walls are naive datetimes, read from a clock on the wall in the job's zone; instants are aware.
cronsim answers which walls match, on a calendar that knows no daylight saving; this module says
when such a wall came. So the two nights of the year on which walls and instants part ways are dealt
with in one place, `_Cron._instants`, forwards and backwards alike.
"""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from itertools import pairwise, product, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.duration import parse_duration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CALENDAR_START = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall
_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
_DAY_S = 86_400
_EVERY_MIN_S, _EVERY_MAX_S = 5, 366 * _DAY_S

# Debian's cron takes a jump of up to three hours for daylight saving, a longer one for a clock that
# was set: then nothing is made up for and nothing held back (cron(8)).
_LONGEST_SHIFT = timedelta(hours=3)

# The fifth Monday of February comes within 40 years; so long does cronsim search, too.
_PATIENCE_YEARS = 50

_FORMS = '"0 3 * * *" (five cron fields), "06:00", "every 15m" or a nickname such as @daily'
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31, L or LW",
    "month": "1-12 or JAN-DEC",
    "day of week": "0-7 or SUN-SAT, where 0 and 7 are Sunday",
}
_LATER = ("@reboot", "oncalendar:", "timer:")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule(ABC):
    """The slots of a job: `text` as it was written, read in the IANA zone `timezone`.

    Slots bear the fixed offset that the zone had then, not the zone itself: Python compares two
    datetimes of one zone by their walls, so that both passes of a repeated hour would be equal.
    `shortest_gap_s`: no two slots are closer than this, apart from daylight saving.
    """

    text: str
    timezone: str
    shortest_gap_s: float

    @property
    def early_start(self) -> timedelta:
        """Say how long before its slot a run may start: two clocks may differ by some seconds.

        60 s, but no more than a quarter of the shortest gap: of a job that runs every minute, a run
        that cron starts some seconds late must not pass for the next one.
        """
        return timedelta(seconds=min(60.0, self.shortest_gap_s / 4))

    @abstractmethod
    def next_after(self, instant: datetime) -> datetime:
        """Find the first slot strictly after an aware instant.

        Raises ScheduleError where the calendar ends (year 9999) before there is one.
        """

    @abstractmethod
    def latest_at(self, instant: datetime) -> datetime:
        """Find the newest slot that is not after an aware instant."""

    def starts_at(self, slot: datetime) -> int:
        """Say how often cron starts the job at a slot: once, but for the end of a spring gap."""
        del slot
        return 1


@lru_cache(maxsize=4096)
def parse(text: str, timezone: str) -> Schedule:
    """Read a schedule: cron's five fields or nicknames, `06:00` or `every 15m`.

    Raises ScheduleError with a sentence when the schedule or the zone cannot be read, or when no
    slot ever comes.
    """
    zone = _zone(timezone)
    written = text.strip()
    if written.startswith(_LATER):
        raise ScheduleError(f'"{text}" is not yet supported: use {_FORMS}')
    if written.startswith("every"):
        return _every(text, zone)
    if written.startswith("@"):
        return _cron(text, zone, _nickname(written))
    if ":" in written:
        return _cron(text, zone, _daily(written))
    return _cron(text, zone, _five_fields(written))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cron(Schedule):
    """Five fields of cron. Times of day are cron's "fixed" jobs.

    `wildcard`: the minute or the hour begins with a star. Such a job follows the wall clock, every
    other one runs once for each wall that its fields name (cron(8), "daylight saving time").
    """

    zone: ZoneInfo
    expression: str
    wildcard: bool

    def next_after(self, instant: datetime) -> datetime:
        try:
            return _with_offset(self._next_after(instant.astimezone(UTC)), self.zone)
        except OverflowError:
            raise ScheduleError(f'"{self.text}" has no slot after {instant.isoformat()}') from None

    def _next_after(self, instant: datetime) -> datetime:
        """Search from the first wall that is still to come, be it for the second time."""
        wall = self._wall(instant)
        to_repeat = wall + _LONGEST_SHIFT - self._wall(instant + _LONGEST_SHIFT)
        found: list[datetime] = []
        for match in CronSim(self.expression, wall - max(to_repeat, timedelta())):
            found += [come for come in self._instants(match) if come > instant]
            if (found and match > wall) or match.year > wall.year + _PATIENCE_YEARS:
                break
        return min(self._not_empty(found))

    def latest_at(self, instant: datetime) -> datetime:
        """Search back from the last wall that has come, be it in the first pass only."""
        instant = instant.astimezone(UTC)
        wall = self._wall(instant)
        repeated = self._wall(instant - _LONGEST_SHIFT) + _LONGEST_SHIFT - wall
        last = wall + max(repeated, timedelta())
        found: list[datetime] = []
        for match in CronSim(self.expression, last + _TICK, reverse=True):
            found += [come for come in self._instants(match) if come <= instant]
            if (found and match <= wall) or match.year < wall.year - _PATIENCE_YEARS:
                break
        return _with_offset(max(self._not_empty(found)), self.zone)

    def starts_at(self, slot: datetime) -> int:
        """Count the walls that come at this slot: cron makes up for each that was jumped over."""
        instant = slot.astimezone(UTC)
        wall = self._wall(instant)
        jumped = wall - self._wall(instant - _MINUTE) - _MINUTE
        if jumped <= timedelta():
            return 1
        matches = takewhile(
            lambda match: match <= wall, CronSim(self.expression, wall - jumped - _TICK)
        )
        return sum(instant in self._instants(match) for match in matches)

    def _not_empty(self, found: list[datetime]) -> list[datetime]:
        if not found:
            raise ScheduleError(
                f'"{self.text}" never comes in {self.timezone}: clocks jump over it'
            )
        return found

    def _wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def _instants(self, wall: datetime) -> tuple[datetime, ...]:
        """Say at which instants cron starts the job for a wall that matches.

        A repeated wall: in both passes for a wildcard job, in the first one for a fixed job. A wall
        that the clock jumps over: never for a wildcard job, right after the jump for a fixed one.
        """
        first, second = self._passes(wall)
        if first == second:
            return (first,)
        if self.wildcard or abs(first - second) > _LONGEST_SHIFT:
            return (first, second) if first < second else ()
        while first > second:
            wall += _MINUTE
            first, second = self._passes(wall)
        return (first,)

    def _passes(self, wall: datetime) -> tuple[datetime, datetime]:
        """Give both readings of a wall: in order if it is repeated, reversed if it never came."""
        aware = wall.replace(tzinfo=self.zone)
        return aware.astimezone(UTC), aware.replace(fold=1).astimezone(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Every(Schedule):
    """The multiples of a period since 1970-01-01T00:00Z, on which no zone has a say."""

    zone: ZoneInfo
    period: timedelta

    @property
    def early_start(self) -> timedelta:
        """Allow nothing: any run that starts within the period serves it, and no other."""
        return timedelta()

    def next_after(self, instant: datetime) -> datetime:
        try:
            return _with_offset(self._floor(instant) + self.period, self.zone)
        except OverflowError:
            raise ScheduleError(f'"{self.text}" has no slot after {instant.isoformat()}') from None

    def latest_at(self, instant: datetime) -> datetime:
        return _with_offset(self._floor(instant), self.zone)

    def _floor(self, instant: datetime) -> datetime:
        instant = instant.astimezone(UTC)
        return instant - (instant - _EPOCH) % self.period


def _with_offset(instant: datetime, zone: ZoneInfo) -> datetime:
    local = instant.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    return local.replace(tzinfo=timezone(offset), fold=0)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder, or far too long
        close = difflib.get_close_matches(name, available_timezones(), n=1, cutoff=0.8)
    right = f'did you mean "{close[0]}"?' if close else 'use an IANA name such as "Europe/Paris"'
    raise ScheduleError(f'unknown time zone "{name}": {right}')


def _every(text: str, zone: ZoneInfo) -> Schedule:
    try:
        period_s = parse_duration(text.strip().removeprefix("every").strip())
    except ValueError as error:
        raise ScheduleError(f'the period of "{text}" {error}') from None
    if not _EVERY_MIN_S <= period_s <= _EVERY_MAX_S:
        raise ScheduleError(f'the period of "{text}" must be between 5s and 366d')
    if period_s != int(period_s):
        raise ScheduleError(f'the period of "{text}" must be a whole number of seconds')
    period = timedelta(seconds=period_s)
    return _Every(text=text, timezone=zone.key, shortest_gap_s=period_s, zone=zone, period=period)


def _nickname(written: str) -> str:
    if written not in _NICKNAMES:
        known = " ".join(_NICKNAMES)
        raise ScheduleError(f'unknown nickname "{written}": cron knows {known}')
    return _NICKNAMES[written]


def _daily(written: str) -> str:
    clock = _CLOCK.fullmatch(written)
    if clock is None or int(clock[1]) > 23 or int(clock[2]) > 59:
        raise ScheduleError(f'a time of day must be "00:00" to "23:59" (got "{written}")')
    return f"{int(clock[2])} {int(clock[1])} * * *"


def _five_fields(written: str) -> str:
    """Check an expression field by field, so that the error names the one that is at fault."""
    fields = written.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(_miscounted(written, len(fields)))
    for place, (name, allowed) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(_FIELDS)
        alone[place] = fields[place]
        if _calendar(" ".join(alone)) is None:
            raise ScheduleError(
                f'cannot read the {name} "{fields[place]}" of "{written}": it must be {allowed}, '
                f"*, a list, a range from low to high or a step such as */5"
            )
    return " ".join(fields)


def _miscounted(written: str, count: int) -> str:
    if count == 1:
        return f'must be {_FORMS} (got "{written}")'
    names = ", ".join(_FIELDS)
    hint = '; cron has no seconds: use "every 10s"' if count == 6 else ""
    return f'must have five fields, {names}{hint} (got {count} in "{written}")'


def _cron(text: str, zone: ZoneInfo, expression: str) -> Schedule:
    calendar = _calendar(expression)
    if calendar is None or next(calendar, None) is None:
        raise ScheduleError(f'"{text}" never comes: none of its months has such a day')
    minute, hour = expression.split()[:2]
    schedule = _Cron(
        text=text,
        timezone=zone.key,
        shortest_gap_s=_shortest_gap_s(calendar.minutes, calendar.hours),
        zone=zone,
        expression=expression,
        wildcard=minute.startswith("*") or hour.startswith("*"),
    )
    schedule.next_after(_CALENDAR_START.replace(tzinfo=UTC))
    return schedule


def _calendar(expression: str) -> CronSim | None:
    """Start a walk over the matching walls, or give None when cronsim refuses the expression."""
    try:
        return CronSim(expression, _CALENDAR_START)
    except (CronSimError, ValueError):  # ValueError: int() takes 4,300 digits at most
        return None


def _shortest_gap_s(minutes: set[int], hours: set[int]) -> float:
    """Measure the smallest distance between two times of day, as if every day matched."""
    times = sorted(hour * 3_600 + minute * 60 for hour, minute in product(hours, minutes))
    return min(after - before for before, after in pairwise([*times, times[0] + _DAY_S]))
