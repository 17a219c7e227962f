"""Slots against a model of cron that walks minute by minute (minutes.py)."""

import json
from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.schedule import Schedule, parse
from tests.judge.minutes import LINES, MINUTE, Field, Line, clock, started

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "cron.json").read_text("utf-8"))
MEASURED = VECTORS["debian_cron_measured"][0]
TICK = timedelta(microseconds=1)

# Where the clocks change (UTC; local before → local after):
#   Europe/Berlin        2024-03-31T01:00Z   02:00+01:00 → 03:00+02:00
#                        2024-10-27T01:00Z   03:00+02:00 → 02:00+01:00
#   America/New_York     2024-03-10T07:00Z   02:00-05:00 → 03:00-04:00
#                        2024-11-03T06:00Z   02:00-04:00 → 01:00-05:00
#   Australia/Lord_Howe  2024-10-05T15:30Z   02:00+10:30 → 02:30+11:00
#                        2024-04-06T15:00Z   02:00+11:00 → 01:30+10:30
#   Europe/Dublin        2024-03-31T01:00Z   01:00+00:00 → 02:00+01:00
#                        2024-10-27T01:00Z   02:00+01:00 → 01:00+00:00
#   Africa/Casablanca    2024-04-14T02:00Z   02:00+00:00 → 03:00+01:00
#                        2024-03-10T02:00Z   03:00+01:00 → 02:00+00:00
#   America/Santiago     2024-09-08T04:00Z   00:00-04:00 → 01:00-03:00
#                        2024-04-07T03:00Z   00:00-03:00 → 23:00-04:00 (the day before)
#   Antarctica/Troll     2024-03-31T01:00Z   01:00+00:00 → 03:00+02:00
#                        2024-10-27T01:00Z   03:00+02:00 → 01:00+00:00
#   Pacific/Apia         2011-09-24T14:00Z   03:00-11:00 → 04:00-10:00
#                        2011-04-02T14:00Z   04:00-10:00 → 03:00-11:00
#                        2011-12-30T10:00Z   2011-12-30T00:00-10:00 → 2011-12-31T00:00+14:00
#   Asia/Kathmandu       never
CHANGES = {
    "Europe/Berlin": ["2024-03-31T01:00Z", "2024-10-27T01:00Z"],
    "America/New_York": ["2024-03-10T07:00Z", "2024-11-03T06:00Z"],
    "Australia/Lord_Howe": ["2024-10-05T15:30Z", "2024-04-06T15:00Z"],
    "Europe/Dublin": ["2024-03-31T01:00Z", "2024-10-27T01:00Z"],
    "Africa/Casablanca": ["2024-04-14T02:00Z", "2024-03-10T02:00Z"],
    "America/Santiago": ["2024-09-08T04:00Z", "2024-04-07T03:00Z"],
    "Antarctica/Troll": ["2024-03-31T01:00Z", "2024-10-27T01:00Z"],
    "Pacific/Apia": ["2011-09-24T14:00Z", "2011-04-02T14:00Z", "2011-12-30T10:00Z"],
    "Asia/Kathmandu": ["2024-03-31T01:00Z"],
}
NIGHTS = [(zone, change) for zone, changes in CHANGES.items() for change in changes]
AUTUMN = [(zone, changes[1]) for zone, changes in CHANGES.items() if len(changes) > 1]
BEFORE, AFTER = timedelta(hours=30), timedelta(hours=42)
COUNT = (BEFORE + AFTER) // MINUTE


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@st.composite
def windows(draw) -> tuple[str, datetime]:
    """Choose a zone and the first minute of three days, most often around a change of the clock."""
    zone, change = draw(st.sampled_from(NIGHTS))
    if draw(st.integers(0, 4)):
        return zone, at(change) - BEFORE
    hours = st.integers(0, 38 * 365 * 24).map(lambda hours: timedelta(hours=hours))
    first = datetime(1990, 1, 1, tzinfo=UTC) + draw(hours)
    info = ZoneInfo(zone)
    # cron is started here: a start within a repeated hour or right after a jump is its own story.
    offsets = {
        (first - hour * timedelta(hours=1)).astimezone(info).utcoffset() for hour in range(4)
    }
    assume(len(offsets) == 1)
    return zone, first


def read(line: Line, zone: str, slots: list[datetime]) -> Schedule | None:
    """Read a line; one that never comes must have no slots in the model either."""
    try:
        return parse(line.text, zone)
    except ScheduleError as error:
        assert "never comes" in str(error)  # noqa: PT017 - either outcome is right
        assert slots == []
        return None


@settings(max_examples=300)
@given(line=LINES, window=windows(), data=st.data())
def test_slots_are_those_of_a_cron_that_is_watched_minute_by_minute(line, window, data):
    zone, first = window
    end = first + COUNT * MINUTE
    starts = started(line, clock(zone, first, COUNT))
    slots = sorted(starts)
    schedule = read(line, zone, slots)
    if schedule is None:
        return
    for instant in data.draw(st.lists(st.datetimes(*naive(first, end)), min_size=8, max_size=8)):
        now = instant.replace(tzinfo=UTC)
        upcoming = slots[bisect_right(slots, now) :][:4]
        agree_after(schedule, now, upcoming, end)
        agree_until(schedule, now, slots[: bisect_right(slots, now)][-4:], first)
        for slot in upcoming:
            assert schedule.starts_at(slot) == starts[slot]


def naive(first: datetime, end: datetime) -> tuple[datetime, datetime]:
    return first.replace(tzinfo=None), end.replace(tzinfo=None) - TICK


def agree_after(
    schedule: Schedule, instant: datetime, slots: list[datetime], end: datetime
) -> None:
    """Walk on over the slots, and then beyond the end."""
    for slot in slots:
        assert schedule.next_after(instant) == slot
        instant = slot
    if len(slots) < 4:
        beyond = schedule.next_after(instant)
        assert beyond is None or beyond >= end


def agree_until(
    schedule: Schedule, instant: datetime, slots: list[datetime], first: datetime
) -> None:
    """Walk back over the slots, and then beyond the first minute."""
    for slot in reversed(slots):
        assert schedule.latest_at(instant) == slot
        instant = slot - TICK
    if len(slots) < 4:
        beyond = schedule.latest_at(instant)
        assert beyond is None or beyond < first


# cron(8) tells nothing of a cron that is started in a repeated hour: it has forgotten what ran in
# the first pass, and starts jobs at a time of day by the wall, once more.
@settings(max_examples=120)
@given(line=LINES, night=st.sampled_from(AUTUMN), late=st.integers(0, 119))
def test_a_cron_restarted_in_a_repeated_hour_adds_the_second_passes_and_nothing_else(
    line, night, late
):
    zone, change = night
    first, restarted = at(change) - BEFORE, at(change) + late * MINUTE
    minutes = clock(zone, first, COUNT)
    slots = sorted(started(line, minutes))
    schedule = read(line, zone, slots)
    if schedule is None:
        return
    again = {second for slot in slots if (second := schedule.second_pass(slot)) is not None}
    assert again.isdisjoint(slots)
    assert sorted(started(line, minutes, restarted=restarted)) == sorted(
        {*slots, *(second for second in again if second >= restarted)}
    )


# Europe/Riga 2021-03-28T01:00Z: 03:00+02:00 → 04:00+03:00
@pytest.mark.parametrize(("expression", "runs"), MEASURED["runs"].items())
def test_the_model_starts_what_the_real_cron_started(expression, runs):
    since, until = (at(instant) for instant in MEASURED["window_utc"])
    minutes = clock("Europe/Riga", at("2021-03-27T00:00Z"), 2 * 24 * 60)
    starts = started(line_of(expression), minutes)
    walls = Counter()
    for instant, wall in minutes:
        if since < instant < until:
            walls[f"{wall:%H:%M}"] += starts[instant]
    assert +walls == Counter(run[:5] for run in runs)


def line_of(expression: str) -> Line:
    """Read stars, steps of stars, and lists, which is all that was measured."""
    ends = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
    fields = []
    for text, (low, high) in zip(expression.split(), ends, strict=True):
        step = int(text.removeprefix("*").removeprefix("/") or 1) if text[0] == "*" else None
        numbers = range(low, high + 1, step) if step else map(int, text.split(","))
        fields.append(Field(text, frozenset(numbers)))
    return Line(*fields)


@settings(max_examples=150)
@given(windows(), LINES, st.integers(0, COUNT))
def test_walking_over_the_slots_is_finding_one_after_the_other(window, line, minutes):
    zone, first = window
    schedule = read_or_none(line, zone)
    assume(schedule is not None)
    start = first + minutes * MINUTE + timedelta(seconds=7)
    walked = list(islice(schedule.slots_after(start), 40))
    found, instant = [], start
    while len(found) < 40 and (instant := schedule.next_after(instant)) is not None:
        found.append(instant)
    assert walked == found
    assert [at.utcoffset() for at in walked] == [at.utcoffset() for at in found]


def read_or_none(line: Line, zone: str) -> Schedule | None:
    try:
        return parse(line.text, zone)
    except ScheduleError:
        return None
