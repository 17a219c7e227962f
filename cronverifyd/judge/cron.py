"""When a job of a crontab was due, as Debian's cron starts jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product, takewhile
from typing import TYPE_CHECKING

from cronsim import CronSim, CronSimError

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.walls import (
    CALENDAR_START,
    LONGEST_SHIFT,
    WallSchedule,
    checked,
    shortest_gap_s,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from cronverifyd.judge.slots import Schedule

_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31, L or LW",
    "month": "1-12 or JAN-DEC",
    "day of week": "0-7 or SUN-SAT, where 0 and 7 are Sunday",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron(WallSchedule):
    """Five fields of cron. Times of day are cron's "fixed" jobs.

    `wildcard`: the minute or the hour begins with a star. Such a job follows the wall clock, every
    other one runs once for each wall that its fields name (cron(8), "daylight saving time").
    `days`: the expression of midnight on the days that match, for cronsim; None: every day.
    """

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    days: str | None
    wildcard: bool

    def starts_at(self, slot: datetime) -> int:
        """Count the walls that come at this slot: cron makes up for each that was jumped over."""
        instant = slot.astimezone(UTC)
        wall = self._wall(instant)
        jumped = wall - self._wall(instant - _MINUTE) - _MINUTE
        if jumped <= timedelta():
            return 1
        matches = takewhile(lambda match: match <= wall, self._walls_after(wall - jumped - _TICK))
        return sum(instant in self._instants(match) for match in matches)

    def second_pass(self, slot: datetime) -> datetime | None:
        """Say when a fixed job runs again in a repeated hour if cron is restarted in it."""
        wall = self._wall(slot)
        first, second = self._passes(wall)
        again = slot == first < second and second not in self._instants(wall)
        return self._shown(second) if again else None

    def _walls_after(self, wall: datetime) -> Iterator[datetime]:
        for day in self._days_from(_midnight(wall)):
            for hour in self.hours:
                if day > wall:
                    for minute in self.minutes:
                        yield day.replace(hour=hour, minute=minute)
                elif hour >= wall.hour:
                    at = (day.replace(hour=hour, minute=minute) for minute in self.minutes)
                    yield from (match for match in at if match > wall)

    def _walls_back_from(self, wall: datetime) -> Iterator[datetime]:
        today = _midnight(wall)
        for day in self._days_back_from(today):
            for hour in reversed(self.hours):
                if day < today or hour <= wall.hour:
                    at = (day.replace(hour=hour, minute=m) for m in reversed(self.minutes))
                    yield from (match for match in at if match <= wall)

    def _days_from(self, day: datetime) -> Iterator[datetime]:
        return _count_days(day, _DAY) if self.days is None else CronSim(self.days, day - _TICK)

    def _days_back_from(self, day: datetime) -> Iterator[datetime]:
        if self.days is None:
            return _count_days(day, -_DAY)
        return CronSim(self.days, day + _TICK, reverse=True)

    def _instants(self, wall: datetime) -> tuple[datetime, ...]:
        """Say at which instants cron starts the job for a wall that matches.

        A repeated wall: in both passes for a wildcard job, in the first one for a fixed job. A wall
        that the clock jumps over: never for a wildcard job, right after the jump for a fixed one.
        """
        first, second = self._passes(wall)
        if first == second:
            return (first,)
        if self.wildcard or abs(first - second) >= LONGEST_SHIFT:
            return (first, second) if first < second else ()
        while first > second:
            wall += _MINUTE
            first, second = self._passes(wall)
        return (first,)


def read_fields(text: str, written: str, zone: ZoneInfo) -> Schedule:
    """Read cron's five fields, checked one by one, so that the error names the one at fault.

    Raises ScheduleError with a sentence, also where no day ever matches.
    """
    fields = written.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(_miscounted(written, len(fields)))
    for place, (name, allowed) in enumerate(_FIELDS.items()):
        if _alone(place, fields[place]) is None:
            raise ScheduleError(
                f'cannot read the {name} "{fields[place]}" of "{written}": it must be {allowed}, '
                f"*, a list, a range from low to high or a step such as */5"
            )
        items = fields[place].split(",")
        fields[place] = ",".join(_without_idle_step(place, item) for item in items)
    return cron(text, " ".join(fields), zone)


def _alone(place: int, field: str) -> CronSim | None:
    fields = ["*"] * len(_FIELDS)
    fields[place] = field
    return _calendar(" ".join(fields))


def _without_idle_step(place: int, item: str) -> str:
    """Drop the step of a range that is one value (`5-5/15`).

    cron stays at that value, cronsim would step on from it to the end of the field.
    """
    span, slash, _ = item.partition("/")
    if not slash or "-" not in span or (calendar := _alone(place, span)) is None:
        return item
    values = (calendar.minutes, calendar.hours, calendar.days, calendar.months, calendar.weekdays)
    return span if len(values[place]) == 1 else item


def _miscounted(written: str, count: int) -> str:
    names = ", ".join(_FIELDS)
    hint = '; cron has no seconds: use "every 10s"' if count == 6 else ""
    return f'must have five fields, {names}{hint} (got {count} in "{written}")'


def cron(text: str, expression: str, zone: ZoneInfo) -> Schedule:
    """Build the schedule of an expression; raises ScheduleError where no slot ever comes."""
    calendar = _calendar(expression)
    if calendar is None or next(calendar, None) is None:
        raise ScheduleError(f'"{text}" never comes: none of its months has such a day')
    minute, hour, *days = expression.split()
    times = product(calendar.hours, calendar.minutes)
    schedule = Cron(
        text=text,
        timezone=zone.key,
        shortest_gap_s=shortest_gap_s(hour * 3_600 + minute * 60 for hour, minute in times),
        zone=zone,
        hours=tuple(sorted(calendar.hours)),
        minutes=tuple(sorted(calendar.minutes)),
        days=None if days == ["*", "*", "*"] else " ".join(("0", "0", *days)),
        wildcard=minute.startswith("*") or hour.startswith("*"),
    )
    return checked(schedule)


def _count_days(day: datetime, step: timedelta) -> Iterator[datetime]:
    """Walk from day to day, to the end of the calendar (OverflowError)."""
    while True:
        yield day
        day += step


def _midnight(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0, second=0, microsecond=0)


def _calendar(expression: str) -> CronSim | None:
    """Start a walk over the matching walls, or give None when cronsim refuses the expression."""
    try:
        return CronSim(expression, CALENDAR_START)
    except CronSimError:
        return None
