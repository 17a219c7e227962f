"""When cues fire: at every deadline, and at no other time; or the plan says that they cannot.

The clocks in these tests:

    Europe/Berlin        2026-03-29 02:00 → 03:00   2026-10-25 03:00 → 02:00
    America/New_York     2026-03-08 02:00 → 03:00   2026-11-01 02:00 → 01:00
    Australia/Lord_Howe  2026-04-05 02:00 → 01:30   2026-10-04 02:00 → 02:30
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cronverifyd.cue import dates
from cronverifyd.cue.timing import timings
from cronverifyd.judge import schedule
from tests.builders import job
from tests.cueapi import rules

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def timed(text, window="0m", zone="UTC"):
    minutes = rational(window)
    return timings(job(schedule=text, timezone=zone, max_duration_s=minutes * 60, grace_s=0.0))


def rational(window):
    units = {"m": 1, "h": 60, "d": 1_440, "s": 1 / 60}
    return float(window[:-1]) * units[window[-1]]


def said(found):
    return [f"{each.cron} {each.timezone}" for each in found.of]


@pytest.mark.parametrize(
    ("text", "window", "zone", "crons"),
    [
        pytest.param("0 3 * * *", "50m", BERLIN, ["50 3 * * *"], id="the same hour"),
        pytest.param("50 23 * * *", "65m", BERLIN, ["55 0 * * *"], id="over midnight, every day"),
        pytest.param(
            "50 23 * * 1-5", "65m", BERLIN, ["55 0 * * 2-6"], id="over midnight, weekdays"
        ),
        pytest.param("0 23 * * 6", "3h", BERLIN, ["0 2 * * 0"], id="from Saturday to Sunday"),
        pytest.param("0 3 * * 7", "1h", BERLIN, ["0 4 * * 0"], id="Sunday as 7"),
        pytest.param("50 23 31 * *", "65m", BERLIN, ["55 0 1 1,2,4,6,8,9,11 *"], id="31 to 1"),
        pytest.param("50 23 L * *", "65m", BERLIN, ["55 0 1 * *"], id="last day to the first"),
        pytest.param("50 23 31 12 *", "65m", BERLIN, ["55 0 1 1 *"], id="over the year's end"),
        pytest.param("0 3 L * *", "1h", BERLIN, ["0 4 L * *"], id="last day"),
        pytest.param(
            "50 23 * 6 *", "65m", BERLIN, ["55 0 1 7 *", "55 0 2-30 6 *"], id="a month's every day"
        ),
        pytest.param(
            "50 23 28,29 2 *", "65m", BERLIN, ["55 0 1 3 *", "55 0 29 2 *"], id="end of February"
        ),
        pytest.param("0 3 1,15 * 1", "1h", BERLIN, ["0 4 1,15 * 1"], id="either field of the day"),
        pytest.param("0 23 1,15 * 1", "1h", BERLIN, ["0 0 2,16 * 2"], id="either, over midnight"),
        pytest.param("*/20 * * * *", "5m", BERLIN, ["5-45/20 * * * *"], id="every hour"),
        pytest.param(
            "*/20 8-17 * * *",
            "50m",
            BERLIN,
            ["10,30 9-18 * * *", "50 8-17 * * *"],
            id="some in the next hour",
        ),
        pytest.param(
            "0 22,23 * * 1", "90m", BERLIN, ["30 0 * * 2", "30 23 * * 1"], id="some on the next day"
        ),
        pytest.param("0 3 * * *", "90s", "UTC", ["2 3 * * *"], id="up to the next minute"),
        pytest.param("0 3 * * *", "36h", "UTC", ["0 15 * * *"], id="a day and a half"),
        pytest.param("@weekly", "1h", BERLIN, ["0 1 * * 0"], id="a nickname"),
        pytest.param("06:00", "1h", BERLIN, ["0 7 * * *"], id="a time of day"),
        pytest.param("oncalendar: Mon..Fri 6:00:30", "60s", BERLIN, ["2 6 * * 1-5"], id="systemd"),
        pytest.param("oncalendar: *-*~1 23:00", "2h", BERLIN, ["0 1 1 * *"], id="systemd's last"),
        pytest.param("0 3 * * *", "0s", BERLIN, ["0 3 * * *"], id="no window at all"),
    ],
)
def test_deadlines_are_said_in_the_jobs_zone(text, window, zone, crons):
    found = timed(text, window, zone)
    assert said(found) == [f"{cron} {zone}" for cron in crons]
    assert found.lack is None


@pytest.mark.parametrize(
    ("text", "window", "zone", "crons"),
    [
        pytest.param("every 15m", "7.5m", BERLIN, ["8-53/15 * * * * UTC"], id="a period"),
        pytest.param("every 7d", "1d", BERLIN, ["0 0 * * 5 UTC"], id="every Thursday of 1970"),
        pytest.param("50 23 28 * *", "65m", "UTC", ["55 23 28 * * Etc/GMT+1"], id="28 February"),
        pytest.param(
            "30 12 28 * *", "1d", "Asia/Kolkata", ["0 23 28 * * Etc/GMT+8"], id="half an hour"
        ),
        pytest.param("oncalendar: 6:00 UTC", "1h", BERLIN, ["0 7 * * * UTC"], id="its own zone"),
    ],
)
def test_where_it_is_said_in_another_zone_a_note_says_so(text, window, zone, crons):
    found = timed(text, window, zone)
    assert said(found) == crons
    assert crons[0].split()[-1] in found.note


@pytest.mark.parametrize(
    ("text", "window", "zone", "lack"),
    [
        pytest.param("@reboot", "1h", BERLIN, "nobody knows before", id="boots"),
        pytest.param("every 30s", "1m", BERLIN, "more than once a minute", id="twice a minute"),
        pytest.param("oncalendar: *:*:0,30", "1m", BERLIN, "more than once a minute", id="systemd"),
        pytest.param("every 7m", "1m", BERLIN, "other times every day", id="seven minutes"),
        pytest.param("every 2d", "1h", BERLIN, "no cron expression", id="every other day"),
        pytest.param("50 23 28 * *", "65m", BERLIN, "1 h 5 min after", id="28 February"),
        pytest.param("0 0 */2 * 1", "1h", BERLIN, "no cron expression", id="odd Mondays"),
        pytest.param(
            "oncalendar: 2026-*-* 6:00", "1h", BERLIN, "no cron expression", id="one year"
        ),
        pytest.param("oncalendar: Mon *-*-1..7 6:00", "1h", BERLIN, "no cron", id="first Monday"),
        pytest.param("0 3 LW * *", "1h", "UTC", "no cron expression", id="last weekday"),
    ],
)
def test_what_cron_cannot_say_has_no_cue_and_a_reason(text, window, zone, lack):
    found = timed(text, window, zone)
    assert found.of == ()
    assert lack in found.lack


@pytest.mark.parametrize(
    ("text", "monthly"),
    [("0 3 * * *", 31), ("0 3 * * 1", 5), ("0 3 31 * *", 1), ("*/15 * * * *", 2_976)],
)
def test_executions_are_counted_in_the_fullest_month(text, monthly):
    assert sum(each.monthly for each in timed(text, "1m").of) == monthly


def test_a_cron_that_means_both_fields_is_not_taken_for_either():
    """cron(8) takes a field that begins with a star for "every"; croniter does not."""
    found = timed("0 3 */2 * *", "1h", "UTC")
    assert said(found) == ["0 4 1-31/2 * * UTC"]


# ---- the property -------------------------------------------------------------------------------

ZONES = [
    *("UTC", BERLIN, NEW_YORK, LORD_HOWE, "Asia/Kolkata", "Africa/Casablanca", "Pacific/Chatham"),
    *("America/Santiago", "Pacific/Apia"),
]


def some(values, most):
    items = st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)
    return items.map(lambda found: ",".join(map(str, sorted(found))))


MINUTES = some(range(60), 2)
HOURS = some(range(24), 3) | st.sampled_from(["*", "*/6", "22-23", "8-17/3"])
DOMS = st.just("*") | some(range(1, 32), 3) | st.sampled_from(["L", "*/5", "10-20", "28-31"])
MONTHS = st.just("*") | some(range(1, 13), 3) | st.sampled_from(["2", "1-6", "JAN-MAR", "*/2"])
DOWS = st.just("*") | some(range(7), 3) | st.sampled_from(["1-5", "MON", "7", "*/2"])
CRONS = st.tuples(MINUTES, HOURS, DOMS, MONTHS, DOWS).map(" ".join)
EVERY = st.sampled_from(["20m", "45m", "1h", "90m", "6h", "1d", "7d", "7m", "7h", "2d"])
ONCALENDAR = st.sampled_from(["Sat *-*-* 23:59:30", "*-02-28..29 22:10", "*-*-* 2:30,45"])
SCHEDULES = CRONS | EVERY.map("every {}".format) | ONCALENDAR.map("oncalendar: {}".format)
WINDOWS_S = st.integers(0, 3 * 86_400) | st.sampled_from([0, 1, 59, 60, 3_900, 86_340, 86_400])


def deadlines(of, until):
    """Give the deadlines up to an instant, on the next whole minute, from the year's first on."""
    window = timedelta(seconds=of.max_duration_s + of.grace_s)
    slots = schedule.parse(of.schedule, of.timezone).slots_after(YEAR - window - MINUTE)
    due = (-(-(slot - YEAR + window) // MINUTE) * MINUTE + YEAR for slot in slots)
    return {at for at in takewhile(lambda at: at < until, due) if at >= YEAR}


def cronsim_fires(timing, until):
    """Fire as cronsim does in the cue's zone."""
    walk = CronSim(timing.cron, (YEAR - MINUTE).astimezone(ZoneInfo(timing.timezone)))
    fires = (at.astimezone(UTC) for at in walk)
    return [at for at in takewhile(lambda at: at < until, fires) if at >= YEAR]


def service_fires(timing, until):
    """Fire as the service does: twice at a wall that comes twice."""
    fires, at = [], YEAR - MINUTE
    while at < until:
        at = rules.next_fire(timing.cron, timing.timezone, at)
        fires.append(at)
    return fires[:-1]


def changes(zone):
    """Find the changes of the clocks in the year: when, and by how much."""
    zone, found = ZoneInfo(zone), []
    for hour in range(-24 * 5, 24 * 370):
        before, after = ((YEAR + n * HOUR).astimezone(zone) for n in (hour, hour + 1))
        if before.utcoffset() != after.utcoffset():
            found.append((YEAR + (hour + 1) * HOUR, abs(after.utcoffset() - before.utcoffset())))
    return found


CHANGES = {zone: changes(zone) for zone in ZONES}


def near(at, zone, window):
    """Say by how much a check may be off: not at all, or by the size of a change."""
    sizes = [
        size for change, size in CHANGES.get(zone, ()) if -size <= at - change <= window + size
    ]
    return max(sizes, default=None)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(text=SCHEDULES, zone=st.sampled_from(ZONES), window_s=WINDOWS_S)
@pytest.mark.parametrize("fires", [cronsim_fires, service_fires], ids=["cronsim", "the service"])
def test_cues_fire_at_each_deadline_once_and_else_never(fires, text, zone, window_s):
    of = job(schedule=text, timezone=zone, max_duration_s=float(window_s), grace_s=0.0)
    try:
        found = timings(of)
    except schedule.ScheduleError:
        assume(False)
    assert bool(found.of) is not bool(found.lack)
    until = YEAR + (366 if fires is cronsim_fires else 120) * DAY
    if found.lack or sum(each.monthly for each in found.of) > 3_000:
        return
    fired = Counter(at for each in found.of for at in fires(each, until))
    due = deadlines(of, until)
    window = timedelta(seconds=window_s) + MINUTE
    cue_zone = found.of[0].timezone
    exact = [at for at in due if near(at, cue_zone, window) is None]
    assert {at: fired[at] for at in exact} == dict.fromkeys(exact, 1)
    assert [at for at in fired if at not in due and near(at, cue_zone, window) is None] == []
    for at in due - set(exact):
        size = near(at, cue_zone, window)
        assert any(at - size <= fire <= at + size for fire in fired) or at + size >= until, at


@pytest.mark.parametrize(
    ("window", "night", "due", "fires"),
    [
        pytest.param("65m", "2026-03-29", ["03:35+02:00"], ["03:00+02:00"], id="spring: early"),
        pytest.param("4h", "2026-03-29", ["06:30+02:00"], ["05:30+02:00"], id="spring: an hour"),
        pytest.param(
            "65m",
            "2026-10-25",
            ["02:35+02:00"],
            ["02:35+02:00", "02:35+01:00"],
            id="autumn: twice",
        ),
        pytest.param("4h", "2026-10-25", ["04:30+01:00"], ["05:30+01:00"], id="autumn: late"),
        pytest.param("4h", "2026-10-24", ["05:30+02:00"], ["05:30+02:00"], id="the day before"),
    ],
)
def test_on_the_nights_of_a_change_a_check_may_be_an_hour_off(window, night, due, fires):
    zone = ZoneInfo(BERLIN)
    found = timed("30 1 * * *", window, BERLIN)
    midnight = datetime.fromisoformat(night).replace(tzinfo=zone)
    slot = midnight.replace(hour=1, minute=30).astimezone(UTC)
    assert [f"{slot.astimezone(UTC) + rational(window) * MINUTE:%H}"] == [
        f"{datetime.fromisoformat(f'{night}T{at}').astimezone(UTC):%H}" for at in due
    ]
    (timing,) = found.of
    come = rules.fires(timing.cron, timing.timezone, midnight.astimezone(UTC), 3)
    shown = [at.astimezone(zone) for at in come]
    assert [
        f"{at:%H:%M}{at.isoformat()[-6:]}" for at in shown if at.date() == midnight.date()
    ] == fires


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({5}, "5"),
        ({5, 6}, "5,6"),
        ({5, 6, 7, 9}, "5-7,9"),
        ({0, 15, 30, 45}, "0-45/15"),
        (set(range(60)), "*"),
        ({3, 10}, "3,10"),
    ],
)
def test_a_field_is_written_as_people_write_it(values, field):
    assert dates.numbers(values, range(60)) == field
