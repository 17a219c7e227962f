"""A model of Debian's cron, minute by minute, as cron(8) and crontab(5) tell it.

It has a state where the package computes: the wall up to which jobs at a time of day were started.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MINUTE = timedelta(minutes=1)
CORRECTION = timedelta(hours=3)
MONTHS = dict(
    zip(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
        range(1, 13),
        strict=True,
    )
)
WEEKDAYS = dict(zip(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], range(7), strict=True))


@dataclass(frozen=True)
class Field:
    """One field: as it is written, and the numbers that it means."""

    text: str
    numbers: frozenset[int]

    @property
    def starred(self) -> bool:
        return self.text.startswith("*")


@dataclass(frozen=True)
class Line:
    """The five fields of a crontab line."""

    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @property
    def text(self) -> str:
        fields = (self.minute, self.hour, self.day, self.month, self.weekday)
        return " ".join(field.text for field in fields)

    @property
    def follows_the_wall(self) -> bool:
        return self.minute.starred or self.hour.starred

    def names(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minute.numbers
            and wall.hour in self.hour.numbers
            and wall.month in self.month.numbers
            and self._names_day(wall)
        )

    def _names_day(self, wall: datetime) -> bool:
        of_month = wall.day in self.day.numbers
        of_week = wall.isoweekday() in self.weekday.numbers
        of_week = of_week or (wall.isoweekday() == 7 and 0 in self.weekday.numbers)
        if self.day.starred or self.weekday.starred:
            return of_month and of_week
        return of_month or of_week


@lru_cache(maxsize=64)
def clock(zone: str, first: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """List so many minutes of UTC, each with the wall that it bears in a zone."""
    instants = [first + number * MINUTE for number in range(count)]
    info = ZoneInfo(zone)
    return [(instant, instant.astimezone(info).replace(tzinfo=None)) for instant in instants]


def started(
    line: Line, minutes: list[tuple[datetime, datetime]], *, restarted: datetime | None = None
) -> Counter[datetime]:
    """Say at which instants cron starts a line, and how often at each.

    cron is started with the first minute, and once more at `restarted`.
    """
    starts: Counter[datetime] = Counter()
    follows = line.follows_the_wall
    done = minutes[0][1] - MINUTE
    for instant, wall in minutes:
        moved = wall - done - MINUTE
        if instant == restarted or abs(moved) >= CORRECTION:
            done = wall - MINUTE
        if follows and line.names(wall):
            starts[instant] += 1
        while done < wall:  # more than once right after a jump, not at all in a repeated hour
            done += MINUTE
            if not follows and line.names(done):
                starts[instant] += 1
    return starts


def _numbers(low: int, high: int, likely: list[int]) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from(likely), st.integers(low, high))


@st.composite
def _item(draw, low: int, high: int, likely: list[int], words: dict[str, int]) -> Field:
    """Write one item of a list: a number, a name, a range, a star, with or without a step."""

    def said(number: int) -> str:
        word = next((word for word, meant in words.items() if meant == number), None)
        if word is None or draw(st.booleans()):
            return draw(st.sampled_from([str(number), f"{number:02d}"]))
        return draw(st.sampled_from([word, word.lower(), word.title()]))

    kind = draw(st.sampled_from(["number", "number", "range", "star"]))
    if kind == "number":
        number = draw(_numbers(low, high, likely))
        return Field(said(number), frozenset([number]))
    ends = (low, high)
    if kind == "range":
        ends = tuple(sorted(draw(st.tuples(*[_numbers(low, high, likely)] * 2))))
    text = "*" if kind == "star" else f"{said(ends[0])}-{said(ends[1])}"
    step = draw(st.one_of(st.none(), st.integers(1, high + 2)))
    text += "" if step is None else f"/{step}"
    return Field(text, frozenset(range(ends[0], ends[1] + 1, step or 1)))


@st.composite
def field(draw, low: int, high: int, likely: list[int], words: dict[str, int]) -> Field:
    items = draw(st.lists(_item(low, high, likely, words), min_size=1, max_size=3))
    text = ",".join(item.text for item in items)
    return Field(text, frozenset().union(*(item.numbers for item in items)))


STAR = {
    (low, high): Field("*", frozenset(range(low, high + 1)))
    for low, high in [(1, 31), (1, 12), (0, 7)]
}
LINES = st.builds(
    Line,
    minute=field(0, 59, [0, 1, 15, 29, 30, 31, 45, 59], {}),
    hour=field(0, 23, [0, 1, 2, 3, 4, 23], {}),
    day=st.one_of(st.just(STAR[1, 31]), field(1, 31, [1, 10, 27, 30, 31], {})),
    month=st.one_of(st.just(STAR[1, 12]), field(1, 12, [3, 4, 10, 11], MONTHS)),
    weekday=st.one_of(st.just(STAR[0, 7]), field(0, 7, [0, 6, 7], WEEKDAYS)),
)
