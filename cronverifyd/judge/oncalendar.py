"""When a systemd timer was due: its `OnCalendar=`, as systemd reads and follows it.

The library finds the walls that match. Where it reads an expression otherwise than systemd 252
does (measured with `systemd-analyze calendar`), this module corrects it or refuses.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import product
from typing import TYPE_CHECKING

from oncalendar import RANGES, BaseIterator, Field, OnCalendarError

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.periods import MIN_S
from cronverifyd.judge.walls import (
    CALENDAR_START,
    WallSchedule,
    changes_clocks,
    checked,
    find_zone,
    shortest_gap_s,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from cronverifyd.judge.slots import Schedule

PREFIX = "oncalendar:"

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_SYNONYMS = {
    "anually": "yearly",
    "biannually": "semiannually",
    "bi-annually": "semiannually",
    "semi-annually": "semiannually",
}
_FRACTION = re.compile(r"\d\.\d", re.ASCII)
_OPEN_STEP = re.compile(r"(?<![.\d])(\d+)/(\d+)", re.ASCII)
_STEPPED_RANGE = re.compile(r"\b(\d{1,4})\.\.(\d{1,4})/(\d{1,4})\b", re.ASCII)
_STUMBLING = {
    Field.SECOND: "a new hour begins",
    Field.MINUTE: "a new day begins",
    Field.HOUR: "a new month begins or the clocks change",
    Field.DAY: "a new year begins",
}
_ABBREVIATION = re.compile(r"(?!UTC)[A-Z]+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class OnCalendar(WallSchedule):
    """A calendar expression of systemd. `times`: the times of day of a day that matches."""

    expression: str
    fields: BaseIterator
    times: tuple[time, ...]

    def _walls_after(self, wall: datetime) -> Iterator[datetime]:
        return BaseIterator(self.expression, wall)

    def _walls_back_from(self, wall: datetime) -> Iterator[datetime]:
        """Walk the days back, since the library only walks forwards."""
        first, last = min(self.fields.years), max(self.fields.years)
        wall = min(wall, CALENDAR_START.replace(year=last + 1) - _SECOND)
        day, until = wall.date(), wall.time()
        while day.year >= first:
            if self._is_due_on(day):
                been = self.times[: bisect_right(self.times, until)]
                yield from (datetime.combine(day, at) for at in reversed(been))
            day, until = day - _DAY, time.max

    def _is_due_on(self, day: date) -> bool:
        fields = self.fields
        if day.month not in fields.months or day.year not in fields.years:
            return False
        return fields.match_dow(day) and fields.match_dom(day)

    def _instants(self, wall: datetime) -> tuple[datetime, ...]:
        """Say when systemd starts the unit for a wall that matches.

        A repeated wall: in the first pass. A wall that the clock jumps over: never.
        """
        first, second = self._passes(wall)
        return (first,) if first <= second else ()


def read_oncalendar(text: str, written: str, zone: ZoneInfo) -> Schedule:
    """Read a calendar expression, with or without a zone of its own as its last word.

    A zone of its own says how its walls are read; the slots are shown in the job's zone all the
    same. Raises ScheduleError with a sentence.
    """
    words, walls = _without_zone(written.split(), zone)
    try:
        expression = " ".join(_as_the_library_reads(word, walls) for word in words)
        fields = BaseIterator(expression, CALENDAR_START)
        next(fields)
    except OnCalendarError as error:
        raise ScheduleError(f'cannot read "{text}": {_in_words(error)}') from None
    except StopIteration:
        raise ScheduleError(f'"{text}" never comes: no such day from 2000 to 2199') from None
    times = list(product(sorted(fields.hours), sorted(fields.minutes), sorted(fields.seconds)))
    schedule = OnCalendar(
        text=text,
        timezone=zone.key,
        shortest_gap_s=_gap_s(text, times),
        zone=walls,
        expression=expression,
        fields=fields,
        times=tuple(time(*each) for each in times),
    )
    return checked(schedule)


def _gap_s(text: str, times: list[tuple[int, int, int]]) -> int:
    gap_s = shortest_gap_s(hour * 3_600 + minute * 60 + second for hour, minute, second in times)
    if gap_s < MIN_S:
        raise ScheduleError(f'"{text}" comes every {gap_s} s: the least is {MIN_S} s')
    return gap_s


def _in_words(error: OnCalendarError) -> str:
    said = str(error)
    if said.startswith(("Bad", "Wrong")):  # the library's own
        return f'{said.lower()}; its form stands in systemd.time(7), "Calendar Events"'
    return said


def _without_zone(words: list[str], zone: ZoneInfo) -> tuple[list[str], ZoneInfo]:
    if len(words) < 2 or not words[-1][0].isalpha():
        return words, zone
    *others, name = words
    if _ABBREVIATION.fullmatch(name):
        raise ScheduleError(f'"{name}" is not the same zone on every host: write UTC or a city')
    return others, find_zone("UTC" if name.upper() == "UTC" else name)


def _as_the_library_reads(word: str, zone: ZoneInfo) -> str:
    """Write a word so that the library reads it as systemd does.

    Raises OnCalendarError for what the library takes and systemd does not. Ranges with a step are
    written out: before the end of a month (`~01..07/2`) the library counts from the last day on,
    systemd from the first, and `5..5/2` never ends for the library.
    """
    if ",," in word:
        raise OnCalendarError("an item of a list is empty")
    if _FRACTION.search(word):
        raise OnCalendarError("fractions of a second are not supported")
    for field, part in _parts(word):
        _check_steps(field, part, zone)
    return _SYNONYMS.get(word.lower(), _STEPPED_RANGE.sub(_written_out, word))


def _parts(word: str) -> Iterator[tuple[Field, str]]:
    """Name the parts of a time, or of a date from its end; `~` stays with the day."""
    if ":" in word:
        return zip((Field.HOUR, Field.MINUTE, Field.SECOND), word.split(":"), strict=False)
    backwards = reversed(word.replace("~", "-~").split("-"))
    return zip((Field.DAY, Field.MONTH, Field.YEAR), backwards, strict=False)


def _check_steps(field: Field, part: str, zone: ZoneInfo) -> None:
    """Refuse open steps (`0/7`) that systemd refuses, and those that it stumbles over.

    It steps on beyond the end of the unit and takes the carry for the new one: after 23:56 `*:0/7`
    looks for 23:63, finds itself at 00:03, and passes over 00:00. After 20:00 `8/12:00` looks for
    32:00, and where the clocks change in that night it finds no next slot at all (systemd 252).
    """
    before_end = part.startswith("~")
    top = max(RANGES[field])
    beyond: list[int] = []
    for item in part.removeprefix("~").split(","):
        if (open_step := _OPEN_STEP.fullmatch(item)) is None:
            continue
        start, step = field.int(open_step[1]), int(open_step[2])
        first = top + 1 - start if before_end else start
        if not 0 < step <= top - first:
            raise OnCalendarError(f'the step of "{item}" leads nowhere')
        beyond.append(first + -((first - top - 1) // step) * step)
    if beyond and _stumbles(field, part, min(beyond) - len(RANGES[field]), zone):
        ended = _OPEN_STEP.sub(rf"\1..{top}/\2", part)
        right = "its days one by one" if before_end else f'"{ended}"'
        raise OnCalendarError(
            f'systemd goes wrong with "{part}" where {_STUMBLING[field]}: write {right}, here and '
            "in the timer"
        )


def _stumbles(field: Field, part: str, carry: int, zone: ZoneInfo) -> bool:
    top = max(RANGES[field])
    values = {value if value >= 0 else top + 1 + value for value in field.parse(part)}
    if field not in _STUMBLING or (top in values and field is not Field.SECOND):
        return False  # nothing is sought behind the last value of the unit
    if field is Field.HOUR and changes_clocks(zone):
        return carry > 0
    return carry > min(values - {0} if field is Field.DAY else values)


def _written_out(matched: re.Match[str]) -> str:
    first, last, step = (int(number) for number in matched.groups())
    if not step or first > last:  # an error, or the years 97..05
        return matched[0]
    return ",".join(str(value) for value in range(first, last + 1, step))
