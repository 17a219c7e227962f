"""When a systemd timer was due: against what systemd itself said, and against systemd itself."""

import json
import os
import random
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.schedule import Schedule, parse

RECORDED = Path(__file__).parents[1] / "vectors" / "oncalendar.json"
VECTORS = json.loads(RECORDED.read_text("utf-8"))
TICK = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def read(expression: str, zone: str = "UTC") -> Schedule:
    return parse(f"oncalendar: {expression}", zone)


def walk(schedule: Schedule, instant: datetime, count: int) -> list[str]:
    """List the coming slots as systemd writes them, in UTC; fewer if no more come."""
    found = []
    for _ in range(count):
        instant = schedule.next_after(instant)
        if instant is None:
            break
        found.append(f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return found


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=f"{vector['expr']} {vector['tz']} {vector['base']}")
        for vector in VECTORS["vectors"]
    ],
)
def test_slots_are_those_that_systemd_named(vector):
    schedule = read(vector["expr"], vector["tz"])
    assert walk(schedule, at(vector["base"]), len(vector["next"])) == vector["next"]
    for slot in map(at, vector["next"]):
        assert schedule.latest_at(slot) == slot
        assert schedule.latest_at(slot + timedelta(seconds=1)) == slot


@pytest.mark.parametrize("expression", VECTORS["reject"])
def test_what_systemd_refuses_is_refused(expression):
    with pytest.raises(ScheduleError):
        read(expression)


# After 23:56 "*:0/7" looks for 23:63, finds itself at 00:03 and passes over 00:00. Over a change of
# the clock "8/12:00" finds nothing at all.
@pytest.mark.parametrize("vector", VECTORS["goes_wrong"], ids=lambda vector: vector["expr"])
def test_steps_that_systemd_stumbles_over_are_refused_with_what_would_be_right(vector):
    with pytest.raises(ScheduleError, match="systemd goes wrong with") as caught:
        read(vector["expr"], vector["tz"])
    open_step = re.search(r"\d+/\d+", vector["expr"])[0]
    ended = re.search(r'write "(\S+)", here and in the timer', str(caught.value))[1]
    mended = read(vector["expr"].replace(open_step, ended), vector["tz"])
    assert set(vector["next"]) < set(walk(mended, at(vector["base"]), len(vector["next"]) + 1))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        pytest.param("", "wrong number of fields", id="nothing"),
        pytest.param("Mon *-*-* 25:00", "bad hour; its form stands in systemd.time(7)", id="hour"),
        pytest.param("Mon,,Fri 06:00", "an item of a list is empty", id="empty item"),
        pytest.param("19/6:00", 'the step of "19/6" leads nowhere', id="step too wide"),
        pytest.param("*:*:1.5", "fractions of a second are not supported", id="fraction"),
        pytest.param("*-*~28/20", "write its days one by one", id="steps before the end"),
        pytest.param("*:*:*", "comes every 1 s: the least is 5 s", id="each second"),
        pytest.param("06:00:00,03", "comes every 3 s", id="twice within 5 s"),
        pytest.param("*-02-30", "never comes: no such day from 2000 to 2199", id="30 February"),
        pytest.param("Mon 2023-01-01", "never comes", id="a Sunday"),
        pytest.param("1999-12-31", "never comes", id="before all calendars"),
        pytest.param("06:00 Europe/Pariss", 'did you mean "Europe/Paris"?', id="zone"),
        pytest.param("06:00 CET", '"CET" is not the same zone on every host', id="abbreviation"),
        pytest.param("@1800000000", "bad day-of-week", id="seconds since 1970"),
        pytest.param("٠٦:00", "must be plain ASCII", id="Arabic digits"),
        pytest.param("Mon" + "," * 900, "an item of a list is empty", id="900 commas"),
        pytest.param("0" * 10_000, "must not be longer than 1000", id="10,000 digits"),
    ],
)
def test_an_expression_that_nobody_can_read_is_refused_with_its_reason(expression, said):
    with pytest.raises(ScheduleError) as caught:
        read(expression)
    assert said in str(caught.value)


# Europe/Berlin, last Sunday of March: 02:00+01:00 → 03:00+02:00.
def test_a_timer_that_the_clocks_always_jump_over_is_refused_in_that_zone_only():
    with pytest.raises(ScheduleError, match="never comes in Europe/Berlin: clocks jump over it"):
        read("Sun *-03-25..31 02:30", "Europe/Berlin")
    assert walk(read("Sun *-03-25..31 02:30"), at("2024-01-01T00:00Z"), 1) == [
        "2024-03-31T02:30:00Z"
    ]


def test_a_zone_of_its_own_says_how_walls_are_read_and_the_jobs_zone_how_slots_are_shown():
    schedule = read("Mon..Fri 09:00 America/New_York", "Europe/Berlin")
    assert schedule.timezone == "Europe/Berlin"
    # 2024-03-10 was a Sunday: New York's clocks had changed, Berlin's had not.
    assert schedule.next_after(at("2024-03-08T00:00Z")).isoformat() == "2024-03-08T15:00:00+01:00"
    assert schedule.next_after(at("2024-03-11T00:00Z")).isoformat() == "2024-03-11T14:00:00+01:00"


# Europe/Berlin 2024-10-27T01:00Z: 03:00+02:00 → 02:00+01:00.
def test_a_repeated_hour_has_the_slots_of_its_first_pass():
    schedule = read("*:0/30", "Europe/Berlin")
    assert walk(schedule, at("2024-10-26T23:45Z"), 4) == [
        "2024-10-27T00:00:00Z",
        "2024-10-27T00:30:00Z",
        "2024-10-27T02:00:00Z",
        "2024-10-27T02:30:00Z",
    ]
    assert schedule.latest_at(at("2024-10-27T01:59Z")) == at("2024-10-27T00:30Z")
    assert schedule.second_pass(at("2024-10-27T00:30Z")) is None


def test_a_timer_for_one_day_has_one_slot():
    schedule = read("2025-03-15 06:00")
    slot = at("2025-03-15T06:00Z")
    assert schedule.next_after(at("2000-01-01T00:00Z")) == slot
    assert schedule.next_after(slot) is None
    assert schedule.latest_at(at("2199-01-01T00:00Z")) == slot
    assert schedule.latest_at(slot - TICK) is None


def test_the_calendar_of_systemd_ends_with_2199():
    schedule = read("*-12-31 00:00")
    last = at("2199-12-31T00:00Z")
    assert schedule.next_after(last - TICK) == last
    assert schedule.next_after(last) is None
    assert schedule.latest_at(at("9990-01-01T00:00Z")) == last
    assert schedule.latest_at(at("1970-12-30T00:00Z")) is None


@pytest.mark.parametrize(
    "expression",
    [
        "2199-12-31 23:59",
        "Mon *-02-29",
        "2196-02-29 00:00",
        "1970-01-01 00:00,06:00",
        "Sun *-03-25..31 00,02:*:0/5",
    ],
)
def test_a_slot_that_is_generations_off_costs_no_more_than_a_moment(expression):
    zone = "Europe/Berlin"
    began = time.process_time()
    try:
        schedule = read(expression, zone)
    except ScheduleError:
        assert "1970" in expression
    else:
        for year in (1970, 2024, 2199, 9990):
            schedule.next_after(datetime(year, 1, 1, tzinfo=UTC))
            schedule.latest_at(datetime(year, 12, 31, tzinfo=UTC))
    assert time.process_time() - began < 2


@given(st.from_regex(r"[-*/,.~0-9 :@A-Za-z]+", fullmatch=True))
def test_any_text_is_a_timer_or_a_schedule_error(text):
    try:
        schedule = read(text, "Europe/Berlin")
    except ScheduleError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        slot = schedule.next_after(at("2000-01-01T00:00Z"))
        assert schedule.latest_at(slot) == slot


# ---- systemd itself -----------------------------------------------------------------------------

# Where the clocks change: the transition tables stand in test_schedule.py.
CHANGES = {
    "UTC": ["2024-02-29T00:00Z", "2024-12-31T12:00Z"],
    "Europe/Berlin": ["2024-03-31T01:00Z", "2024-10-27T01:00Z"],
    "America/New_York": ["2024-03-10T07:00Z", "2024-11-03T06:00Z"],
    "Australia/Lord_Howe": ["2024-04-06T15:00Z", "2024-10-05T15:30Z"],
}


@pytest.fixture(scope="module")
def systemd():
    """Give a function that asks systemd for the coming slots; None where it refuses.

    Of a timer whose next slot it cannot tell ("deadlock"), it names none.
    """
    program = shutil.which("systemd-analyze")
    if program is None and os.environ.get("CRONVERIFYD_REQUIRE_CRON"):
        pytest.fail("systemd-analyze is required, but absent (Debian package systemd)")
    if program is None:
        pytest.skip("NOT VERIFIED AGAINST THE REAL SYSTEMD: systemd-analyze is absent")

    def ask(expression: str, zone: str, base: datetime, count: int) -> list[str] | None:
        with_zone = expression if zone == "UTC" else f"{expression} {zone}"
        since = f"{base.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        options = [f"--iterations={count}", f"--base-time={since}"]
        done = subprocess.run(
            [program, "calendar", *options, "--", with_zone],
            env={"TZ": "UTC", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        slot = r"(?:Next elapse|Iter\. #\d+): \w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC"
        found = [f"{day}T{time}Z" for day, time in re.findall(slot, done.stdout)]
        return None if "Failed to parse" in done.stderr else found

    return ask


@pytest.mark.oracle
def test_what_is_recorded_is_what_systemd_says(systemd):
    for vector in [*VECTORS["vectors"], *VECTORS["goes_wrong"], VECTORS["loses_a_day"]]:
        said = systemd(vector["expr"], vector["tz"], at(vector["base"]), vector["count"])
        assert said == vector["next"], vector
    for expression in VECTORS["reject"]:
        assert systemd(expression, "UTC", at("2024-01-01T00:00Z"), 1) is None, expression


@pytest.mark.oracle
@pytest.mark.parametrize("zone", CHANGES)
def test_random_timers_come_when_systemd_says(zone, systemd):
    chance, compared = random.Random(zone), 0
    while compared < 150:
        expression = random_expression(chance)
        base = at(chance.choice(CHANGES[zone])) - timedelta(minutes=chance.randint(61, 2_000))
        try:
            schedule = read(expression, zone)
        except ScheduleError as error:
            named = re.search("goes wrong|never comes|the least is", str(error))
            assert named or systemd(expression, zone, base, 1) is None, expression
        else:
            assert walk(schedule, base, 8) == systemd(expression, zone, base, 8), (expression, base)
            compared += 1


def random_expression(chance: random.Random) -> str:
    """Write a timer, most often for the small hours."""
    days = chance.choice(["", "Sun ", "Mon..Fri ", "Sat,Sun ", "*-*-* ", "*-*-1..15 "])
    days = chance.choice([days, "*-*~1..7 ", "*-*~01 ", "*-1..6-* ", "2024-*-* ", "*-*-1/5 "])
    hours = random_part(chance, 23, [0, 1, 2, 3, 4, 23])
    minutes = random_part(chance, 59, [0, 15, 29, 30, 31, 45, 59])
    return f"{days}{hours}:{minutes}{chance.choice(['', ':00', ':0,30', ':17', ':0/20'])}"


def random_part(chance: random.Random, top: int, likely: list[int]) -> str:
    low, high = sorted(chance.sample([*likely, chance.randint(0, top)], 2))
    return chance.choice(
        [
            "*",
            f"{low:02d}",
            f"{low},{high}",
            f"{low}..{high}",
            f"{low}..{high}/{chance.randint(1, 7)}",
            f"{low}/{chance.randint(1, top + 1 - low)}",
        ]
    )
