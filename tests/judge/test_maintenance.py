"""Maintenance windows: from when to when, in which zone, and which of several."""

from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.maintenance import window_at
from cronverifyd.judge.schedule import parse
from cronverifyd.model import Maintenance, MaintenanceMode
from tests.builders import at, job, minutes, seconds

HOUR = 3600.0
TICK = seconds(0.000001)
MUTE, SKIP = MaintenanceMode.MUTE, MaintenanceMode.SKIP


def windows(*told, mode=MUTE, zone="UTC"):
    """Build a job with a window for each schedule and its hours."""
    kept = [Maintenance(schedule=s, duration_s=hours * HOUR, mode=mode) for s, hours in told]
    return job(maintenance=tuple(kept), timezone=zone)


def span(of, instant, mode=MUTE):
    """Give the beginning and the end of the window in which an instant lies, or None."""
    found = window_at(of, at(instant), mode)
    return None if found is None else (found.since, found.until)


NIGHTLY = windows(("0 2 * * *", 3))


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        pytest.param("01:59:59.999999", False, id="just before"),
        pytest.param("02:00", True, id="its first instant"),
        pytest.param("03:00", True, id="in the middle"),
        pytest.param("04:59:59.999999", True, id="its last instant"),
        pytest.param("05:00", False, id="its end"),
        pytest.param("15:00", False, id="long after"),
        pytest.param("2024-05-16T02:00:00", True, id="the next night"),
    ],
)
def test_a_window_lasts_from_its_slot_until_just_before_its_end(instant, inside):
    assert (span(NIGHTLY, instant) is not None) is inside


def test_it_says_from_when_to_when_it_is_and_what_it_does():
    found = window_at(NIGHTLY, at("03:00"), MUTE)
    assert (found.since, found.until, found.mode) == (at("02:00"), at("05:00"), MUTE)


def test_a_job_without_maintenance_is_never_in_it():
    assert [span(job(), "03:00", mode) for mode in MaintenanceMode] == [None, None]


@pytest.mark.parametrize("mode", MaintenanceMode)
def test_only_windows_of_the_kind_that_is_asked_for_count(mode):
    of = windows(("0 2 * * *", 3), mode=mode)
    assert [each for each in MaintenanceMode if span(of, "03:00", each)] == [mode]


# ---- over midnight ------------------------------------------------------------------------------

OVERNIGHT = windows(("0 23 * * *", 3))


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        pytest.param("2024-05-14T22:59:59", False, id="before"),
        pytest.param("2024-05-14T23:00:00", True, id="the evening"),
        pytest.param("2024-05-15T00:00:00", True, id="midnight"),
        pytest.param("2024-05-15T01:59:59", True, id="the night"),
        pytest.param("2024-05-15T02:00:00", False, id="after"),
    ],
)
def test_a_window_may_last_over_midnight(instant, inside):
    expected = (at("2024-05-14T23:00:00"), at("2024-05-15T02:00:00")) if inside else None
    assert span(OVERNIGHT, instant) == expected


def test_over_the_end_of_the_week_and_of_the_year():
    saturdays = windows(("0 22 * * 6", 30))
    assert span(saturdays, "2024-05-20T03:59:59") == (
        at("2024-05-18T22:00:00"),
        at("2024-05-20T04:00:00"),
    )
    silvester = windows(("0 22 31 12 *", 4))
    assert span(silvester, "2025-01-01T01:59:59") is not None
    assert span(silvester, "2025-01-01T02:00:00") is None


# ---- over a change of the clocks ----------------------------------------------------------------

# Europe/Berlin   2024-03-31T01:00Z   02:00+01:00 → 03:00+02:00
#                 2024-10-27T01:00Z   03:00+02:00 → 02:00+01:00
BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("schedule", "since", "until"),
    [
        pytest.param(
            "0 1 * * 0", "2024-03-31T01:00+01:00", "2024-03-31T05:00+02:00", id="over the gap"
        ),
        pytest.param(
            "30 2 * * 0", "2024-03-31T03:00+02:00", "2024-03-31T06:00+02:00", id="from the gap on"
        ),
        pytest.param(
            "0 1 * * 0", "2024-10-27T01:00+02:00", "2024-10-27T03:00+01:00", id="over both passes"
        ),
        pytest.param(
            "30 2 * * 0", "2024-10-27T02:30+02:00", "2024-10-27T04:30+01:00", id="from the first on"
        ),
    ],
)
def test_a_window_is_as_long_as_ever_when_the_clocks_change(schedule, since, until):
    of = windows((schedule, 3), zone=BERLIN)
    assert at(until) - at(since) == timedelta(hours=3)
    assert window_at(of, at(since) - TICK, MUTE) is None
    for inside in (at(since), at(until) - TICK):
        found = window_at(of, inside, MUTE)
        assert (found.since, found.until) == (at(since), at(until))
    assert window_at(of, at(until), MUTE) is None


def test_a_window_begins_by_the_clock_of_the_job_s_zone():
    tokyo = windows(("0 2 * * *", 3), zone="Asia/Tokyo")
    assert span(tokyo, "2024-05-15T17:00:00") == (
        at("2024-05-16T02:00+09:00"),
        at("2024-05-16T05:00+09:00"),
    )
    assert span(tokyo, "03:00") is None


# ---- several windows ----------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "turned round"])
@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        pytest.param("01:30", ("01:00", "04:00"), id="in the first"),
        pytest.param("02:30", ("02:00", "05:00"), id="in both: the one that ends last"),
        pytest.param("04:30", ("02:00", "05:00"), id="in the second"),
        pytest.param("05:00", None, id="in neither"),
        pytest.param("12:30", ("12:00", "13:00"), id="in a third"),
    ],
)
def test_of_several_windows_the_one_that_ends_last_counts(instant, expected, turned):
    told = [("0 1 * * *", 3), ("0 2 * * *", 3), ("0 12 * * *", 1)]
    of = windows(*(told[::-1] if turned else told))
    assert span(of, instant) == (expected and tuple(at(each) for each in expected))


def test_one_within_another_does_not_end_it():
    of = windows(("0 1 * * *", 5), ("0 2 * * *", 1))
    assert span(of, "02:30") == (at("01:00"), at("06:00"))


def test_windows_longer_than_their_period_never_end():
    of = windows(("0 * * * *", 3))
    assert span(of, "05:59:59") == (at("05:00"), at("08:00"))


def test_each_kind_has_its_own():
    kept = (
        Maintenance(schedule="0 1 * * *", duration_s=3 * HOUR, mode=SKIP),
        Maintenance(schedule="0 2 * * *", duration_s=3 * HOUR, mode=MUTE),
    )
    of = job(maintenance=kept)
    assert span(of, "02:30", SKIP) == (at("01:00"), at("04:00"))
    assert span(of, "02:30", MUTE) == (at("02:00"), at("05:00"))


@pytest.mark.parametrize(
    ("schedule", "since"),
    [
        pytest.param("02:00", "02:00", id="a time of day"),
        pytest.param("@hourly", "03:00", id="a nickname"),
        pytest.param("every 90m", "03:00", id="a period"),
        pytest.param("oncalendar: Wed 02:30", "02:30", id="a systemd timer"),
    ],
)
def test_its_schedule_may_have_any_form(schedule, since):
    assert span(windows((schedule, 1.5)), "03:10") == (at(since), at(since) + minutes(90))


# ---- any window ---------------------------------------------------------------------------------


@given(
    st.sampled_from(["0 2 * * *", "30 2 * * 0", "0 23 31 * *", "*/45 * * * *", "every 7h"]),
    st.integers(1, 100),
    st.integers(0, 60 * 24 * 40).map(lambda minute: at("2024-03-10T00:00Z") + minutes(minute)),
    st.sampled_from(["UTC", BERLIN, "Australia/Lord_Howe"]),
)
def test_an_instant_is_in_a_window_if_and_only_if_one_began_less_than_its_length_before(
    schedule, hours, instant, zone
):
    length = timedelta(hours=hours)
    began = parse(schedule, zone).next_after(instant.astimezone(UTC) - length)
    found = window_at(windows((schedule, hours), zone=zone), instant, MUTE)
    assert (found is not None) is (began <= instant)
    if found is not None:
        assert found.since <= instant < found.until
        assert found.until - found.since == length
