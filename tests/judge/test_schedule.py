"""When a job was due: forms, errors, and the nights on which the clocks change."""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.schedule import Schedule, parse

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "cron.json").read_text("utf-8"))
RESTARTED = VECTORS["debian_cron_measured"][1]
TICK = timedelta(microseconds=1)

# Where the clocks change (UTC; local before → local after):
#   Europe/Riga          2021-03-28T01:00Z   03:00+02:00 → 04:00+03:00
#                        2021-10-31T01:00Z   04:00+03:00 → 03:00+02:00
#   Europe/Berlin        2024-03-31T01:00Z   02:00+01:00 → 03:00+02:00
#                        2024-10-27T01:00Z   03:00+02:00 → 02:00+01:00
#   America/New_York     2024-03-10T07:00Z   02:00-05:00 → 03:00-04:00
#                        2024-11-03T06:00Z   02:00-04:00 → 01:00-05:00
#   Australia/Lord_Howe  2024-04-06T15:00Z   02:00+11:00 → 01:30+10:30
#                        2024-10-05T15:30Z   02:00+10:30 → 02:30+11:00
#   Pacific/Apia         2011-12-30T10:00Z   2011-12-30T00:00-10:00 → 2011-12-31T00:00+14:00
#   Asia/Kolkata, UTC    never
CHANGES = {
    "Europe/Riga": ("2021-03-28T01:00Z", "2021-10-31T01:00Z"),
    "Europe/Berlin": ("2024-03-31T01:00Z", "2024-10-27T01:00Z"),
    "America/New_York": ("2024-03-10T07:00Z", "2024-11-03T06:00Z"),
    "Australia/Lord_Howe": ("2024-04-06T15:00Z", "2024-10-05T15:30Z"),
    "Asia/Kolkata": ("2024-03-31T01:00Z",),
    "UTC": ("2024-03-31T01:00Z",),
}
WHOLE_HOURS = sorted(set(CHANGES) - {"Australia/Lord_Howe"})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def walk(schedule: Schedule, instant: datetime, count: int) -> list[datetime]:
    slots: list[datetime] = []
    for _ in range(count):
        instant = schedule.next_after(instant)
        slots.append(instant)
    return slots


def walk_back(schedule: Schedule, instant: datetime, count: int) -> list[datetime]:
    slots: list[datetime] = []
    for _ in range(count):
        instant = schedule.latest_at(instant)
        slots.append(instant)
        instant -= TICK
    return slots


def texts(slots: list[datetime]) -> list[str]:
    return [slot.isoformat() for slot in slots]


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=f"{vector['expr']} {vector['tz']} {vector['start_local']}")
        for vector in VECTORS["vectors"]
    ],
)
def test_known_slots_of_debians_cron_come_out(vector):
    zone = vector["tz"] or "UTC"
    start = at(vector["start_local"])
    aware = start if start.tzinfo else start.replace(tzinfo=ZoneInfo(zone))
    slots = walk(parse(vector["expr"], zone), aware, len(vector["next"]))
    assert texts(slots) == [text if vector["tz"] else f"{text}+00:00" for text in vector["next"]]


# What the real cron ran in the minutes after 2021-03-28T00:58:30Z, by the same transition table:
# two matches that were jumped over are one slot.
@pytest.mark.parametrize(("expression", "runs"), VECTORS["debian_cron_measured"][0]["runs"].items())
def test_slots_of_the_spring_night_are_those_the_real_cron_ran(expression, runs):
    schedule = parse(expression, "Europe/Riga")
    slots, instant = [], at("2021-03-28T00:58:30Z")
    while (instant := schedule.next_after(instant)) < at("2021-03-28T01:02:05Z"):
        slots.append(f"{instant:%H:%M}")
    assert slots == sorted({run[:5] for run in runs})


@pytest.mark.parametrize("expression", VECTORS["reject"])
def test_an_expression_that_cron_would_not_take_is_refused(expression):
    with pytest.raises(ScheduleError):
        parse(expression, "UTC")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("0 0 3 * * *", 'use "every 10s" (got 6 in', id="six fields"),
        pytest.param("* * *", "must have five fields, minute, hour, day of month", id="three"),
        pytest.param("0 3 * * * root run", "(got 7 in", id="a crontab line"),
        pytest.param("", 'must be "0 3 * * *" (five cron fields), "06:00"', id="empty"),
        pytest.param(" \t", '"every 15m", "oncalendar: Mon..Fri 06:00" or a', id="blank"),
        pytest.param("61 * * * *", 'the minute "61" of "61 * * * *": it must be 0', id="61"),
        pytest.param("60 * * * *", 'the minute "60" of "60 * * * *": it must be 0-59', id="minute"),
        pytest.param("0 24 * * *", 'the hour "24"', id="hour"),
        pytest.param("0 0 0 * *", 'the day of month "0"', id="day of month"),
        pytest.param("0 0 1 13 *", 'the month "13"', id="month"),
        pytest.param("0 0 * * MOM", 'the day of week "MOM"', id="day of week"),
        pytest.param("0 5-1 * * *", "a range from low to high", id="range backwards"),
        pytest.param("*/0 * * * *", 'the minute "*/0"', id="step of zero"),
        pytest.param(f"{'9' * 900} * * * *", "cannot read the minute", id="digits without end"),
        pytest.param("-5 * * * *", "cannot read the minute", id="minus five"),
        pytest.param(
            "0 0 30 2 *", '"0 0 30 2 *" never comes: none of its months', id="30 February"
        ),
        pytest.param("0 0 31 2 *", "never comes", id="31 February"),
        pytest.param("0 0 31 4,6 *", '"0 0 31 4,6 *" never comes', id="31 April or June"),
        pytest.param("0 0 31 4,6,9,11 *", "never comes", id="31st of short months"),
        pytest.param("every -5m", 'the period of "every -5m" must be a duration', id="every -5m"),
        pytest.param("every 0s", 'the period of "every 0s" must be between 5s', id="every 0s"),
        pytest.param("every 3s", "must be between 5s and 366d", id="every 3s"),
        pytest.param("every 367d", "must be between 5s and 366d", id="every 367d"),
        pytest.param(f"every {'9' * 400}d", "must be between", id="every infinity"),
        pytest.param("every 7.5s", "a whole number of seconds", id="every 7.5s"),
        pytest.param("every 15", 'must be a duration such as "90s"', id="every 15"),
        pytest.param("every", "must be a duration", id="every"),
        pytest.param("25:00", '"00:00" to "23:59" (got "25:00")', id="25:00"),
        pytest.param("06:60", '"00:00" to "23:59"', id="06:60"),
        pytest.param("6:5", '"00:00" to "23:59"', id="6:5"),
        pytest.param("@dayly", "cron knows, in lower case, @hourly @daily", id="@dayly"),
        pytest.param("@every 5m", 'a period is written "every 15m"', id="@every"),
        pytest.param("@REBOOT", 'unknown nickname "@REBOOT": cron knows, in lower', id="@REBOOT"),
        pytest.param("@reboot daily", "@annually @reboot;", id="@reboot with more"),
        pytest.param("daily", "a nickname such as @daily", id="daily"),
        pytest.param("timer: backup.timer", 'must be "0 3 * * *" (five', id="a unit's name"),
        pytest.param("Mon..Fri 06:00", '"oncalendar: Mon..Fri 06:00"', id="without its prefix"),
        pytest.param("OnCalendar=06:00", '"oncalendar: Mon..Fri 06:00"', id="a unit's line"),
        pytest.param("0," * 5_000 + "0 * * * *", "than 1000 characters (got 10009)", id="endless"),
        pytest.param("x" * 10_000, "must not be longer than 1000 characters", id="10,000 letters"),
        pytest.param("٣ 3 * * *", 'must be plain ASCII, which "٣" is not', id="Arabic digits"),
        pytest.param("0 3 * * \u017fun", "must be plain ASCII", id="a long s is no S"),
        pytest.param("0 3 *\u00a0* *", "must be plain ASCII", id="a space that does not break"),
        pytest.param("every ٣m", "must be plain ASCII", id="a period in Arabic digits"),
    ],
)
def test_a_schedule_that_nobody_can_read_is_refused_with_what_would_be_right(text, said):
    with pytest.raises(ScheduleError) as caught:
        parse(text, "Europe/Berlin")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        pytest.param("Europe/Pariss", 'did you mean "Europe/Paris"?', id="a letter too many"),
        pytest.param("Europe", "use an IANA name", id="a folder"),
        pytest.param("../../etc/passwd", "use an IANA name", id="a path"),
        pytest.param("", "use an IANA name", id="empty"),
        pytest.param("x" * 5000, "use an IANA name", id="too long for a file name"),
        pytest.param("a\0b", "use an IANA name", id="a NUL"),
    ],
)
def test_an_unknown_zone_is_refused_with_what_would_be_right(zone, said):
    with pytest.raises(ScheduleError, match="unknown time zone") as caught:
        parse("0 3 * * *", zone)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        pytest.param("@hourly", "2024-05-15T14:00:00+02:00", id="@hourly"),
        pytest.param("@daily", "2024-05-16T00:00:00+02:00", id="@daily"),
        pytest.param("@midnight", "2024-05-16T00:00:00+02:00", id="@midnight"),
        pytest.param("@weekly", "2024-05-19T00:00:00+02:00", id="@weekly"),
        pytest.param("@monthly", "2024-06-01T00:00:00+02:00", id="@monthly"),
        pytest.param("@yearly", "2025-01-01T00:00:00+01:00", id="@yearly"),
        pytest.param("@annually", "2025-01-01T00:00:00+01:00", id="@annually"),
        pytest.param("06:00", "2024-05-16T06:00:00+02:00", id="06:00"),
        pytest.param("6:30", "2024-05-16T06:30:00+02:00", id="6:30"),
        pytest.param("23:59", "2024-05-15T23:59:00+02:00", id="23:59"),
        pytest.param("0 12 * * 7", "2024-05-19T12:00:00+02:00", id="7 is Sunday"),
        pytest.param("0 12 * * sun", "2024-05-19T12:00:00+02:00", id="names"),
        pytest.param("0 12 1 * MON", "2024-05-20T12:00:00+02:00", id="either day will do"),
        pytest.param("0 12 */31 * SAT", "2024-06-01T12:00:00+02:00", id="a star: both must match"),
        pytest.param("5-5/2 12 * * *", "2024-05-16T12:05:00+02:00", id="a range of one value"),
        pytest.param("0 12 * * Sun-0/2", "2024-05-19T12:00:00+02:00", id="a range of one day"),
        pytest.param("  5\t13  * * *  ", "2024-05-15T13:05:00+02:00", id="spaces and tabs"),
        pytest.param("0 0 29 2 *", "2028-02-29T00:00:00+01:00", id="29 February"),
        pytest.param("every 15m", "2024-05-15T13:15:00+02:00", id="every 15m"),
        pytest.param("every 5s", "2024-05-15T13:00:05+02:00", id="every 5s"),
        pytest.param("every 1d", "2024-05-16T02:00:00+02:00", id="every 1d is a day of UTC"),
        pytest.param("every 1h30m", "2024-05-15T14:00:00+02:00", id="every 1h30m"),
    ],
)
def test_each_form_names_its_next_slot_in_the_jobs_zone(text, slot):
    # 2024-05-15 was a Wednesday.
    schedule = parse(text, "Europe/Berlin")
    assert schedule.next_after(at("2024-05-15T13:00:00+02:00")).isoformat() == slot
    assert (schedule.text, schedule.timezone) == (text, "Europe/Berlin")


def test_slots_of_a_period_are_its_multiples_since_1970_whatever_the_zone():
    schedule = parse("every 7m", "Australia/Lord_Howe")
    slot = schedule.next_after(at("2024-04-06T14:58:00Z"))
    assert slot.timestamp() % 420 == 0
    assert schedule.latest_at(slot) == slot
    assert schedule.latest_at(slot - TICK) == slot - timedelta(minutes=7)
    assert schedule.latest_at(at("1969-12-31T23:59:00Z")) == at("1969-12-31T23:53:00Z")


# 2021-10-31T01:00Z Europe/Riga: 04:00+03:00 → 03:00+02:00. From 03:10 in the second pass, cronsim
# by itself answers 03:30+03:00, which is gone.
def test_a_fixed_job_is_not_due_again_in_the_second_pass():
    schedule = parse("30 3 * * *", "Europe/Riga")
    second_pass = at("2021-10-31T03:10:00+02:00")
    assert schedule.next_after(second_pass).isoformat() == "2021-11-01T03:30:00+02:00"
    assert schedule.latest_at(second_pass).isoformat() == "2021-10-31T03:30:00+03:00"


# What the real cron did that was started anew at 03:28+02:00, in the second pass of that hour.
def test_a_fixed_job_may_run_in_the_second_pass_if_cron_was_restarted():
    schedule = parse("30 3 * * *", "Europe/Riga")
    slot = schedule.latest_at(at("2021-10-31T02:00:00Z"))
    assert slot.isoformat() == "2021-10-31T03:30:00+03:00"
    assert schedule.second_pass(slot).isoformat() == "2021-10-31T03:30:00+02:00"
    assert f"{schedule.second_pass(slot):%H:%M}:01+02:00" in RESTARTED["runs"]["30 3 * * *"]


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        pytest.param("30 3 * * *", "2021-10-30T03:30:00+03:00", id="any other day"),
        pytest.param("30 3 * * *", "2021-03-28T04:00:00+03:00", id="the end of a spring gap"),
        pytest.param("30 4 * * *", "2021-10-31T04:30:00+02:00", id="after the repeated hour"),
        pytest.param("*/30 * * * *", "2021-10-31T03:30:00+03:00", id="a slot of its own"),
        pytest.param("*/30 * * * *", "2021-10-31T03:30:00+02:00", id="the second pass itself"),
        pytest.param("every 30m", "2021-10-31T03:30:00+03:00", id="a period"),
        pytest.param("oncalendar: 03:30", "2021-10-31T03:30:00+03:00", id="a systemd timer"),
    ],
)
def test_no_other_slot_has_a_second_pass(text, slot):
    schedule = parse(text, "Europe/Riga")
    assert schedule.latest_at(at(slot)) == at(slot)
    assert schedule.second_pass(schedule.latest_at(at(slot))) is None


# 2024-04-06T15:00Z Australia/Lord_Howe: 02:00+11:00 → 01:30+10:30. Half an hour comes twice.
# 2024-10-05T15:30Z Australia/Lord_Howe: 02:00+10:30 → 02:30+11:00. Half an hour is jumped over.
@pytest.mark.parametrize(
    ("expression", "start", "slots"),
    [
        pytest.param(
            "*/20 1-2 * * *",
            "2024-04-06T14:20:00Z",
            ["01:40+11:00", "01:40+10:30", "02:00+10:30", "02:20+10:30"],
            id="star, autumn",
        ),
        pytest.param(
            "40 1,2 * * *", "2024-04-06T14:20:00Z", ["01:40+11:00", "02:40+10:30"],
            id="fixed, autumn",
        ),
        pytest.param(
            "0 */2 * * *", "2024-04-06T14:20:00Z", ["02:00+10:30", "04:00+10:30"],
            id="the full hour after the half",
        ),
        pytest.param(
            "*/15 2 * * *", "2024-10-05T15:00:00Z", ["02:30+11:00", "02:45+11:00"],
            id="star, spring",
        ),
        pytest.param(
            "0,15,40 2 * * *", "2024-10-05T15:00:00Z", ["02:30+11:00", "02:40+11:00"],
            id="fixed, spring",
        ),
    ],
)  # fmt: skip
def test_a_shift_of_half_an_hour_is_a_shift_like_others(expression, start, slots):
    found = walk(parse(expression, "Australia/Lord_Howe"), at(start), len(slots))
    assert [f"{slot:%H:%M}{slot.isoformat()[-6:]}" for slot in found] == slots


# 2011-12-30T10:00Z Pacific/Apia: 2011-12-30T00:00-10:00 → 2011-12-31T00:00+14:00. cron takes a jump
# of more than three hours for a clock that was set, and makes up for nothing.
def test_a_day_that_the_zone_left_out_is_not_owed():
    slots = walk(parse("0 5 * * *", "Pacific/Apia"), at("2011-12-29T00:00:00-10:00"), 2)
    assert texts(slots) == ["2011-12-29T05:00:00-10:00", "2011-12-31T05:00:00+14:00"]


# 2024-10-27T01:00Z Europe/Berlin: 03:00+02:00 → 02:00+01:00.
def test_slots_of_both_passes_are_different_values_in_the_right_order():
    first, second = walk(parse("30 * * * *", "Europe/Berlin"), at("2024-10-27T00:00:00Z"), 2)
    assert texts([first, second]) == ["2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00"]
    assert first != second
    assert first < second
    assert second - first == timedelta(hours=1)


def test_the_29th_of_february_is_found_backwards():
    slots = walk_back(parse("0 0 29 2 *", "Europe/Berlin"), at("2104-03-01T00:00:00Z"), 3)
    assert [slot.year for slot in slots] == [2104, 2096, 2092]


# Europe/Berlin, last Sunday of March: 02:00+01:00 → 03:00+02:00. A fifth Sunday is the last one.
def test_a_schedule_that_the_clocks_always_jump_over_is_refused_in_that_zone_only():
    with pytest.raises(ScheduleError, match="never comes in Europe/Berlin: clocks jump over it"):
        parse("*/30 2 * 3 SUN#5", "Europe/Berlin")
    slot = parse("*/30 2 * 3 SUN#5", "UTC").next_after(at("2024-01-01T00:00:00Z"))
    assert slot == at("2024-03-31T02:00:00Z")


ALL_FORMS = ["0 0 29 2 *", "* * * * *", "06:00", "every 366d", "oncalendar: daily", "@reboot"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("text", ALL_FORMS)
def test_where_the_calendar_ends_no_slot_is_known(text, zone):
    schedule = parse(text, zone)
    assert schedule.next_after(at("9999-12-31T23:59:30Z")) is None
    assert schedule.latest_at(at("0001-01-01T00:00:00Z")) is None


@given(st.sampled_from(ALL_FORMS), st.datetimes(timezones=st.just(UTC)))
def test_no_instant_of_the_calendar_is_too_much(text, instant):
    schedule = parse(text, "America/New_York")
    latest, upcoming = schedule.latest_at(instant), schedule.next_after(instant)
    assert latest is None or latest <= instant
    assert upcoming is None or upcoming > instant


@pytest.mark.parametrize(
    ("text", "gap_s"),
    [
        pytest.param("* * * * *", 60, id="every minute"),
        pytest.param("*/15 * * * *", 900, id="a quarter"),
        pytest.param("*/7 * * * *", 240, id="the last step is short"),
        pytest.param("0,50 * * * *", 600, id="over the full hour"),
        pytest.param("0,59 0,23 * * *", 60, id="over midnight"),
        pytest.param("0,10 3 * * *", 600, id="twice a day"),
        pytest.param("0 3 * * *", 86_400, id="daily"),
        pytest.param("0 0 1 1 *", 86_400, id="yearly counts as daily"),
        pytest.param("06:00", 86_400, id="06:00"),
        pytest.param("@hourly", 3_600, id="@hourly"),
        pytest.param("every 90s", 90, id="every 90s"),
        pytest.param("oncalendar: *:0/15", 900, id="a systemd timer"),
        pytest.param("oncalendar: *:*:0/10", 10, id="a systemd timer, seconds"),
        pytest.param("oncalendar: 2030-01-01 06:00", 86_400, id="once counts as daily"),
        pytest.param("@reboot", math.inf, id="@reboot"),
    ],
)
def test_the_shortest_gap_is_the_smallest_distance_between_times_of_day(text, gap_s):
    assert parse(text, "Europe/Berlin").shortest_gap_s == gap_s


@pytest.mark.parametrize(
    ("text", "early_s"),
    [
        pytest.param("0 3 * * *", 60, id="a minute"),
        pytest.param("*/5 * * * *", 60, id="a minute of five"),
        pytest.param("* * * * *", 15, id="a quarter of a minute"),
        pytest.param("oncalendar: *:*:0/10", 2.5, id="a quarter of ten seconds"),
        pytest.param("@reboot", 60, id="@reboot"),
        pytest.param("every 15m", 0, id="a period: none"),
    ],
)
def test_a_run_may_start_a_little_before_its_slot(text, early_s):
    assert parse(text, "Europe/Berlin").early_start == timedelta(seconds=early_s)


def test_a_schedule_is_parsed_once():
    assert parse("0 3 * * *", "Europe/Berlin") is parse("0 3 * * *", "Europe/Berlin")


def field(low: int, high: int, likely: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    number = st.one_of(likely, st.integers(low, high))
    steps = st.integers(1, high)
    ranges = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    return st.one_of(
        st.just("*"),
        number.map(str),
        steps.map(lambda step: f"*/{step}"),
        st.lists(number, min_size=1, max_size=4).map(lambda some: ",".join(map(str, some))),
        st.tuples(ranges, steps.map(str)).map("/".join),
    )


EXPRESSIONS = st.tuples(
    field(0, 59, st.sampled_from([0, 1, 15, 29, 30, 31, 45, 59])),
    field(0, 23, st.integers(0, 4)),
    st.one_of(st.just("*"), field(1, 28, st.sampled_from([27, 28, 31]))),
    st.just("*"),
    st.one_of(st.just("*"), field(0, 7, st.sampled_from([0, 6, 7]))),
).map(" ".join)
PERIODS = st.integers(5, 100_000).map(lambda period_s: f"every {period_s}s")
CALENDARS = st.builds(
    "oncalendar: {}{}:{}{}".format,
    st.sampled_from(["", "Sun ", "Mon..Fri ", "*-*-* ", "*-*~1..7 ", "*-3,10-25..31 "]),
    st.sampled_from(["*", "1..3", "02", "0,23", "1..23/2"]),
    st.sampled_from(["*", "0/15", "30", "0,59", "29..31"]),
    st.sampled_from(["", ":00", ":0/20", ":17,43"]),
)
AROUND = st.timedeltas(timedelta(hours=-30), timedelta(hours=30))


@st.composite
def moments(draw, zones):
    zone = draw(st.sampled_from(zones))
    return zone, at(draw(st.sampled_from(CHANGES[zone]))) + draw(AROUND)


@given(text=st.one_of(EXPRESSIONS, PERIODS, CALENDARS), moment=moments(sorted(CHANGES)))
def test_forwards_and_backwards_are_one_sequence(text, moment):
    zone, start = moment
    schedule = parse(text, zone)
    slots = [schedule.latest_at(start), *walk(schedule, start, 12)]
    assert slots[0] <= start < slots[1]
    for before, slot in pairwise(slots):
        assert before < slot
        assert schedule.latest_at(slot) == slot
        assert schedule.latest_at(slot - TICK) == before
        assert schedule.next_after(before) == slot
        middle = before + (slot - before) / 2
        assert (schedule.latest_at(middle), schedule.next_after(middle)) == (before, slot)
        assert slot.utcoffset() == slot.astimezone(ZoneInfo(zone)).utcoffset()


@given(
    text=st.one_of(EXPRESSIONS, PERIODS, CALENDARS),
    moment=moments(sorted(CHANGES)),
    back=st.timedeltas(timedelta(), timedelta(hours=4)),
)
def test_a_clock_that_is_set_back_meets_the_same_slots_again(text, moment, back):
    zone, start = moment
    schedule = parse(text, zone)
    slots = walk(schedule, start, 3)
    again, instant = [], start - back
    while (instant := schedule.next_after(instant)) <= slots[-1]:
        again.append(instant)
    assert again[-3:] == slots


# cronsim itself is right where the shift is a whole hour, the walk begins before the change, and no
# range of one value has a step.
@given(text=EXPRESSIONS, zone=st.sampled_from(WHOLE_HOURS), season=st.booleans())
def test_a_walk_over_the_change_meets_the_slots_that_cronsim_meets(text, zone, season):
    assume(not re.search(r"\b(\d+)-\1/", text))
    start = at(CHANGES[zone][-season]) - timedelta(hours=12)
    theirs = CronSim(text, start.astimezone(ZoneInfo(zone)))
    expected = [next(theirs).astimezone(UTC) for _ in range(12)]
    assert walk(parse(text, zone), start, 12) == expected


@given(text=st.one_of(st.text(), st.from_regex(r"[-*/,#LW0-9 :a-z@]+", fullmatch=True)))
def test_any_text_is_a_schedule_or_a_schedule_error(text):
    try:
        schedule = parse(text, "Europe/Berlin")
    except ScheduleError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert schedule.next_after(at("2000-01-01T00:00:00Z")) > at("2000-01-01T00:00:00Z")
