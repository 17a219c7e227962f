"""When CueAPI has to ask after a job: at each slot's deadline, said in cron.

A deadline is the slot, the longest duration and the grace; where that is no whole minute, the check
comes at the next one, for a check before the deadline says nothing. The expression is exact, or
there is none: it is found by its dates and times of day, which are held against 28 years.

The exception is a change of the clocks. Cron counts in hours of the wall, a deadline in hours that
pass. So from the change's size (an hour, nearly everywhere) before it until the window and that
size after it, a check may come too early or too late by at most that size, or twice; the timer on
this host judges at the deadline all the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim

from cronverifyd.cue import dates
from cronverifyd.cue.dates import numbers
from cronverifyd.judge import schedule
from cronverifyd.judge.boots import Boots
from cronverifyd.judge.cron import Cron
from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.oncalendar import OnCalendar
from cronverifyd.judge.periods import Every
from cronverifyd.judge.walls import changes_clocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cronverifyd.cue.dates import Days
    from cronverifyd.judge.slots import Schedule
    from cronverifyd.model import Job

_DAY_MIN, _DAY_S = 1_440, 86_400
_MINUTE, _TICK = timedelta(minutes=1), timedelta(microseconds=1)
_EPOCH = date(1970, 1, 1).toordinal()
_WINDOW_DAYS = 734  # max_duration and grace have 366 days each at most
_SINCE = dates.FIRST - _WINDOW_DAYS
_WESTERNMOST_MIN = -720  # Etc/GMT+12


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Timing:
    """One cron expression of five fields in an IANA zone.

    `monthly`: how often it fires in the fullest month.
    """

    cron: str
    timezone: str
    monthly: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """The expressions that together fire at a job's deadlines, each of them once.

    `note`: what is odd about them, in a sentence, or None. `lack`: why there are none, or None.
    """

    of: tuple[Timing, ...] = ()
    note: str | None = None
    lack: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Slots:
    """Walls in a zone: at every time (seconds of the day) of every date (ordinals)."""

    zone: ZoneInfo
    days: frozenset[int]
    times_s: tuple[int, ...]


def timings(job: Job) -> Timings:
    """Say when a job's deadlines come, in cron.

    1. In the zone of its slots, where fields can say the days on which deadlines fall.
    2. Else, in a zone that changes no clocks, by a zone further west, in which the deadline falls
       on the slot's own day.
    """
    calendar = schedule.parse(job.schedule, job.timezone)
    lack = _unsayable(calendar)
    if lack is not None:
        return Timings(lack=lack)
    slots = _slots(calendar)
    window = timedelta(seconds=job.max_duration_s + job.grace_s)
    found = [each for days, minutes in _due(slots, window) for each in _said(slots, days, minutes)]
    if None in found:
        return Timings(lack=_why_not(window))
    said = sorted(each for each in found if each is not None)
    return Timings(of=tuple(said), note=_note(said, job, slots.zone.key))


def _unsayable(calendar: Schedule) -> str | None:
    """Say why a kind of schedule has no cron expression at all, or None."""
    if isinstance(calendar, Boots):
        return "nobody knows before when this host is booted"
    if calendar.shortest_gap_s < 60:
        return "it comes more than once a minute, which no cron expression says"
    if isinstance(calendar, Every) and not _same_every_day(calendar.period):
        return f"{calendar.text} comes at other times every day, which no cron expression says"
    return None


def _same_every_day(period: timedelta) -> bool:
    period_s = int(period.total_seconds())
    return _DAY_S % period_s == 0 or period_s % _DAY_S == 0


def _slots(calendar: Schedule) -> _Slots:
    if isinstance(calendar, Every):
        return _of_period(int(calendar.period.total_seconds()))
    if isinstance(calendar, OnCalendar):
        times = tuple(at.hour * 3_600 + at.minute * 60 + at.second for at in calendar.times)
        return _Slots(zone=calendar.zone, days=_of_oncalendar(calendar), times_s=times)
    if isinstance(calendar, Cron):
        times = tuple(hour * 3_600 + m * 60 for hour in calendar.hours for m in calendar.minutes)
        return _Slots(zone=calendar.zone, days=_of_cron(calendar.days), times_s=times)
    raise TypeError(calendar)


def _of_period(period_s: int) -> _Slots:
    times = tuple(range(0, _DAY_S, min(period_s, _DAY_S)))
    return _Slots(zone=ZoneInfo("UTC"), days=_every(max(1, period_s // _DAY_S)), times_s=times)


@lru_cache(maxsize=64)
def _every(days: int) -> frozenset[int]:
    return frozenset(day for day in _all_days() if (day - _EPOCH) % days == 0)


@lru_cache(maxsize=256)
def _of_cron(days: str | None) -> frozenset[int]:
    """List the days of an expression for the midnights that match; None: every day."""
    if days is None:
        return _every(1)
    return frozenset(_walk(CronSim(days, datetime.fromordinal(_SINCE) - _TICK)))


def _walk(midnights: Iterable[datetime]) -> Iterator[int]:
    for midnight in midnights:
        if midnight.toordinal() > dates.LAST:
            return
        yield midnight.toordinal()


def _of_oncalendar(calendar: OnCalendar) -> frozenset[int]:
    fields = calendar.fields
    return frozenset(
        day.toordinal()
        for day in map(date.fromordinal, _all_days())
        if day.month in fields.months
        and day.year in fields.years
        and fields.match_dow(day)
        and fields.match_dom(day)
    )


def _all_days() -> range:
    return range(_SINCE, dates.LAST + 1)


def _due(slots: _Slots, window: timedelta) -> Iterator[tuple[int, frozenset[int]]]:
    """Give the minutes of deadlines, counted from the slot's midnight, by the days they carry.

    Where that makes no difference to the dates, they are given for one carry together.
    """
    by_carry: dict[int, set[int]] = defaultdict(set)
    for time_s in slots.times_s:
        minute = -(-(timedelta(seconds=time_s) + window) // _MINUTE)
        by_carry[minute // _DAY_MIN].add(minute)
    alike: dict[frozenset[int], int] = {}
    together: dict[int, set[int]] = defaultdict(set)
    for carry, minutes in sorted(by_carry.items()):
        first = alike.setdefault(_carried(slots.days, carry), carry)
        together[first] |= {minute - (carry - first) * _DAY_MIN for minute in minutes}
    for carry, minutes in together.items():
        yield carry, frozenset(minutes)


@lru_cache(maxsize=256)
def _carried(days: frozenset[int], carry: int) -> frozenset[int]:
    return frozenset(day + carry for day in days if dates.FIRST <= day + carry <= dates.LAST)


def _said(slots: _Slots, carry: int, minutes: frozenset[int]) -> Iterator[Timing | None]:
    """Say minutes that carry so many days; None: no fields say it."""
    here = dates.say(_carried(slots.days, carry))
    if here is not None:
        yield from _timings(here, {minute % _DAY_MIN for minute in minutes}, slots.zone.key)
        return
    west = _further_west(slots.zone, minutes)
    there = dates.say(_carried(slots.days, 0)) if west is not None else None
    if west is None or there is None:
        yield None
        return
    zone, minutes_back = west
    yield from _timings(there, {minute - minutes_back for minute in minutes}, zone)


def _further_west(zone: ZoneInfo, minutes: frozenset[int]) -> tuple[str, int] | None:
    """Find a zone in which the minutes are of the slot's day, and by how many it is behind.

    None: there is none, or the slots' own zone changes its clocks and this one would not.
    """
    if changes_clocks(zone):
        return None
    offset = datetime.fromordinal(dates.FIRST).replace(tzinfo=UTC).astimezone(zone).utcoffset()
    here_min = int((offset or timedelta()) / _MINUTE)
    there_min = (here_min - (max(minutes) - _DAY_MIN + 1)) // 60 * 60
    back = here_min - there_min
    if there_min < _WESTERNMOST_MIN or back > min(minutes):
        return None
    hours = -there_min // 60  # the names of these zones have the other sign (tzdata, etcetera)
    return (f"Etc/GMT{hours:+d}" if hours else "UTC"), back


def _timings(days: Iterable[Days], minutes: set[int], zone: str) -> Iterator[Timing]:
    for on in days:
        for minute, hour, count in _times(minutes):
            cron = f"{minute} {hour} {on.dom} {on.month} {on.dow}"
            yield Timing(cron=cron, timezone=zone, monthly=count * on.most)


def _times(minutes: set[int]) -> list[tuple[str, str, int]]:
    """Cut minutes of the day into fields for the minute and the hour, and how many each has."""
    pairs = [divmod(minute, 60) for minute in minutes]
    by_minute = _rectangles((minute, hour) for hour, minute in pairs)
    by_hour = [(minutes, hours) for hours, minutes in _rectangles(pairs)]
    fewest = min(by_minute, by_hour, key=len)
    return [
        (numbers(minutes, range(60)), numbers(hours, range(24)), len(minutes) * len(hours))
        for minutes, hours in fewest
    ]


def _rectangles(pairs: Iterable[tuple[int, int]]) -> list[tuple[frozenset[int], frozenset[int]]]:
    """Cover pairs with products of two sets: all firsts that have the same seconds together."""
    seconds: dict[int, set[int]] = defaultdict(set)
    for first, second in pairs:
        seconds[first].add(second)
    firsts: dict[frozenset[int], set[int]] = defaultdict(set)
    for first, of in seconds.items():
        firsts[frozenset(of)].add(first)
    return [(frozenset(of), second) for second, of in firsts.items()]


def _why_not(window: timedelta) -> str:
    late = format_duration(window.total_seconds())
    return f"no cron expression says the days of its deadlines, {late} after its slots"


def _note(said: list[Timing], job: Job, zone: str) -> str | None:
    """Say what a reader of the cues would wonder at."""
    elsewhere = sorted({each.timezone for each in said} - {zone})
    if elsewhere:
        own_day = "there its deadlines fall on the days of its slots"
        return f"in {' and '.join(elsewhere)}: {own_day}, in {zone} no cron expression says them"
    if zone != job.timezone:
        return f"in {zone}, as its slots are"
    if len(said) > 1:
        return f"{len(said)} cues: no single cron expression says its deadlines"
    return None
