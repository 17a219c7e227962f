"""The days that a cue's cron can name: from a set of dates to the fields that say exactly it.

A set is held against 28 years: in so many, every kind of year (its first weekday, leap or not)
comes once at least, and every kind but the leap ones twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST, LAST = date(2024, 1, 1).toordinal(), date(2051, 12, 31).toordinal()
"""Between these ordinals (of `date.toordinal`) sets are compared."""

_MONTHS = range(1, 13)
_LAST_DAY = "L"

Month = tuple[frozenset[int] | str, frozenset[int]]
"""The days of a month (or `L`, its last one) and the weekdays, of which one is enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """The three fields of cron that say which days. `most`: how many are in any one month.

    Where neither `dom` nor `dow` is a star, one of them is enough.
    """

    dom: str
    month: str
    dow: str
    most: int


@dataclass(frozen=True, slots=True)
class _Day:
    ordinal: int
    year: int
    dom: int
    dow: int  # Sunday is 0
    last: bool


@lru_cache(maxsize=512)
def say(dates: frozenset[int]) -> tuple[Days, ...] | None:
    """Find fields that match exactly the dates of a set, and no date twice; None: there are none.

    The months that need the same fields share them. croniter takes "L" for the last day of a month;
    it is used where plain numbers cannot say it, or need more cues.
    """
    plain = [_plain(month, dates) for month in _MONTHS]
    with_last = [_last(month, dates) or _plain(month, dates) for month in _MONTHS]
    found = [_grouped(each, dates) for each in (plain, with_last)]
    said = [each for each in found if each is not None]
    return min(said, key=len) if said else None


def _plain(month: int, dates: frozenset[int]) -> Month | None:
    """Say a month's dates by their numbers, by their weekdays, or by either; None: that fails."""
    days = _calendar()[month]
    due = [day for day in days if day.ordinal in dates]
    rest = [day for day in days if day.ordinal not in dates]
    doms = frozenset(day.dom for day in due) - {day.dom for day in rest}
    dows = frozenset(day.dow for day in due) - {day.dow for day in rest}
    if all(day.dom in doms for day in due):
        return doms, frozenset()
    if all(day.dow in dows for day in due):
        return frozenset(), dows
    return (doms, dows) if all(day.dom in doms or day.dow in dows for day in due) else None


def _last(month: int, dates: frozenset[int]) -> Month | None:
    days = _calendar()[month]
    if all((day.ordinal in dates) is day.last for day in days):
        return _LAST_DAY, frozenset()
    return None


def _grouped(months: Sequence[Month | None], dates: frozenset[int]) -> tuple[Days, ...] | None:
    """Put months that need the same fields together, the longest first.

    A shorter month joins where the days that it lacks make the only difference.
    """
    groups: list[tuple[Month, list[int]]] = []
    for month in sorted(_MONTHS, key=lambda month: -_length(month)):
        needed = months[month - 1]
        if needed is None:
            return None
        if needed == (frozenset(), frozenset()):
            continue
        joined = next((group for group in groups if _serves(group[0], needed, month)), None)
        if joined is None:
            groups.append((needed, [month]))
        else:
            joined[1].append(month)
    return tuple(_days(needed, sorted(of), dates) for needed, of in groups)


def _serves(given: Month, needed: Month, month: int) -> bool:
    doms = given[0]
    if isinstance(doms, frozenset):
        doms = frozenset(dom for dom in doms if dom <= _length(month))
    return (doms, given[1]) == needed


def _days(needed: Month, months: list[int], dates: frozenset[int]) -> Days:
    doms, dows = needed
    longest = max(map(_length, months))
    whole = not doms or len(doms) == longest
    return Days(
        dom=doms if isinstance(doms, str) else "*" if whole else numbers(doms, range(1, 32)),
        month=numbers(months, _MONTHS),
        dow=numbers(dows, range(7)) if dows else "*",
        most=max(_most(month, dates) for month in months),
    )


def _most(month: int, dates: frozenset[int]) -> int:
    due = Counter(day.year for day in _calendar()[month] if day.ordinal in dates)
    return max(due.values())


def numbers(values: Iterable[int], whole: range) -> str:
    """Write a field of cron: a star for all of `whole`, else ranges, steps and single numbers."""
    left = sorted(values)
    if left == list(whole):
        return "*"
    step = left[1] - left[0] if len(left) > 1 else 1
    if step > 1 and len(left) > 2 and left == list(range(left[0], left[-1] + 1, step)):
        return f"{left[0]}-{left[-1]}/{step}"
    runs: list[list[int]] = []
    for value in left:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(_run(run) for run in runs)


def _run(run: Sequence[int]) -> str:
    if len(run) > 2:
        return f"{run[0]}-{run[-1]}"
    return ",".join(map(str, run))


@lru_cache(maxsize=1)
def _calendar() -> dict[int, tuple[_Day, ...]]:
    """Give the days of the 28 years by their months."""
    months: dict[int, list[_Day]] = {month: [] for month in _MONTHS}
    for ordinal in range(FIRST, LAST + 1):
        at, following = date.fromordinal(ordinal), date.fromordinal(ordinal + 1)
        dow, last = at.isoweekday() % 7, following.month != at.month
        months[at.month].append(_Day(ordinal, at.year, at.day, dow, last))
    return {month: tuple(days) for month, days in months.items()}


def _length(month: int) -> int:
    return max(day.dom for day in _calendar()[month])
