"""Lines become runs, and runs find their slots."""

from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.runs import Window, join, make_slot, slot_of, start_of
from cronverifyd.judge.schedule import parse
from cronverifyd.model import Run
from tests.builders import at, event, job, minutes, run

WRITTEN = Window(earliest=at("03:05"), latest=at("03:06"))
LONG_AGO = at("2024-01-01T00:00:00")


def joined(*events, written=WRITTEN):
    found = None
    for each in events:
        found = join(found, each, run_id="r1", written=written)
    return found


def due(found, of=None, owed_since=LONG_AGO, taken=()):
    of = of or job()
    schedule = parse(of.schedule, of.timezone)
    return slot_of(found, of, schedule, owed_since=owed_since, taken=taken)


# ---- joining ------------------------------------------------------------------------------------


def test_a_start_alone_is_a_run_that_runs():
    assert joined(event("start", "03:00", user="alice")) == run("03:00", user="alice")


def test_a_start_and_a_finish_make_one_run():
    whole = joined(
        event("start", "03:00", user="alice", pid=7),
        event("finish", "03:04", exit_code=0, duration_s=239.5),
    )
    assert whole == run("03:00", "03:04", user="alice", pid=7, exit_code=0, duration_s=239.5)


STORIES = {
    "with a duration": [event("start", "03:00"), event("finish", "03:04", duration_s=239.5)],
    "without one": [event("start", "03:00"), event("finish", "03:04")],
    "told twice": [event("start", "03:00"), event("finish", "03:04"), event("finish", "03:04")],
    "started twice": [event("start", "03:00"), event("start", "03:00"), event("finish", "03:04")],
    "two ends": [
        event("start", "03:00"),
        event("finish", "03:04", status="failed", error="no", exit_code=1),
        event("finish", "03:05", output_tail="done"),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_the_order_of_the_lines_does_not_matter(story):
    told = joined(*story)
    for order in permutations(story):
        assert joined(*order) == told


def test_of_two_ends_the_later_one_counts_and_nothing_is_left_of_the_other():
    failed = event("finish", "03:04", status="failed", error="no", exit_code=1, metrics={"rows": 1})
    whole = joined(event("start", "03:00"), failed, event("finish", "03:05"))
    assert whole == run("03:00", "03:05", duration_s=300.0)


def test_a_start_never_reopens_a_run_that_has_ended():
    whole = joined(event("finish", "03:04"), event("start", "03:00"))
    assert (whole.status, whole.ended_at) == ("success", at("03:04"))


def test_the_duration_is_counted_where_nobody_measured_it():
    assert joined(event("start", "03:00"), event("finish", "03:04")).duration_s == 240.0


def test_a_clock_that_went_back_makes_no_negative_duration():
    assert joined(event("start", "03:00"), event("finish", "02:59")).duration_s == 0.0


def test_the_start_is_found_from_the_duration():
    assert joined(event("finish", "03:04", duration_s=240.0)).started_at == at("03:00")


def test_a_finish_may_bear_its_start():
    assert joined(event("finish", "03:04", started_at=at("03:01"))).started_at == at("03:01")


def test_a_finish_without_a_time_ended_at_the_latest_when_it_was_written():
    told = joined(event("finish", duration_s=60.0))
    assert (told.ended_at, told.untimed_since) == (at("03:06"), at("03:05"))
    assert told.started_at is None


def test_nobody_measures_a_duration_against_a_time_that_nobody_told():
    assert joined(event("start", "03:00"), event("finish")).duration_s is None


def test_a_start_without_a_time_began_when_it_was_written():
    assert joined(event("start")).started_at == at("03:06")


def test_a_start_without_a_time_that_comes_after_its_finish_is_not_later_than_that():
    told = joined(event("finish", "03:04"), event("start"))
    assert (told.started_at, told.ended_at) == (at("03:04"), at("03:04"))


def test_a_finish_without_a_time_that_is_told_again_later_is_no_later_end():
    once = joined(event("finish"))
    later = Window(earliest=at("09:00"), latest=at("09:01"))
    assert join(once, event("finish"), run_id="r1", written=later) == once


def test_another_end_without_a_time_counts_though():
    once = joined(event("finish", status="failed"))
    later = Window(earliest=at("09:00"), latest=at("09:01"))
    again = join(once, event("finish"), run_id="r1", written=later)
    assert (again.status, again.ended_at, again.untimed_since) == (
        "success",
        at("09:01"),
        at("09:00"),
    )


def test_the_slot_that_the_finish_names_outweighs_that_of_the_start():
    told = joined(event("start", "03:00", slot=at("01:00")), event("finish", "03:04"))
    assert told.slot_hint == at("01:00")
    told = joined(event("start", slot=at("01:00")), event("finish", slot=at("02:00")))
    assert told.slot_hint == at("02:00")


@pytest.mark.parametrize(
    ("told", "start"),
    [
        pytest.param(run("03:00", "03:04"), "03:00", id="its start"),
        pytest.param(run(None, "03:04"), "03:04", id="else its end"),
        pytest.param(run(None, "03:04", duration_s=60.0), "03:03", id="less its duration"),
    ],
)
def test_the_start_of_a_run(told, start):
    assert start_of(told) == at(start)


def test_a_run_of_which_nothing_is_known_has_no_start():
    with pytest.raises(ValueError, match="r9 of db-backup has neither start nor end"):
        start_of(Run(run="r9", job="db-backup"))


# ---- the slot of a run --------------------------------------------------------------------------

DAILY = job()
HOURLY = job(schedule="0 * * * *", max_duration_s=1800.0)
MINUTELY = job(schedule="* * * * *", max_duration_s=30.0, grace_s=15.0)
EVERY = job(schedule="every 10m", max_duration_s=300.0, grace_s=60.0)
YESTERDAY = "2024-05-14T03:00:00"


@pytest.mark.parametrize(
    ("of", "told", "expected"),
    [
        pytest.param(DAILY, run("03:00:01"), "03:00", id="the latest slot"),
        pytest.param(DAILY, run("02:59:00"), "03:00", id="60 s early"),
        pytest.param(DAILY, run("02:58:59.999999"), YESTERDAY, id="earlier than that"),
        pytest.param(DAILY, run("23:59"), "03:00", id="by hand, at night"),
        pytest.param(DAILY, run(None, "05:00"), "03:00", id="only its end is known"),
        pytest.param(DAILY, run("03:00", slot_hint=at(YESTERDAY)), YESTERDAY, id="its own word"),
        pytest.param(
            DAILY, run("03:00", slot_hint=at("2024-05-14T03:00:30")), YESTERDAY, id="about that"
        ),
        pytest.param(
            DAILY, run("09:00", run_date=date(2024, 5, 14)), YESTERDAY, id="the day it named"
        ),
        pytest.param(DAILY, run("09:00", run_date=date(2024, 5, 15)), "03:00", id="of today"),
        pytest.param(
            DAILY, run("02:59:30", run_date=date(2024, 5, 15)), "03:00", id="of today, early"
        ),
        pytest.param(
            DAILY, run("09:00", run_date=date(2024, 5, 16)), "03:00", id="a day still to come"
        ),
        pytest.param(
            HOURLY,
            run("05:30", run_date=date(2024, 5, 14)),
            "2024-05-14T23:00:00",
            id="the last slot of that day",
        ),
        pytest.param(
            HOURLY, run("05:30", run_date=date(2024, 5, 15)), "05:00", id="not after its start"
        ),
        pytest.param(
            DAILY,
            run("09:00", slot_hint=at(YESTERDAY), run_date=date(2024, 5, 15)),
            YESTERDAY,
            id="the slot before the day",
        ),
        pytest.param(MINUTELY, run("03:00:44.9"), "03:00", id="every minute: 44.9 s late"),
        pytest.param(MINUTELY, run("03:00:45"), "03:01", id="every minute: 15 s early"),
        pytest.param(EVERY, run("03:09:59.9"), "03:00", id="every: all of the period"),
        pytest.param(EVERY, run("03:10"), "03:10", id="every: and no more"),
    ],
)
def test_a_run_belongs_to(of, told, expected):
    assert due(told, of).at == at(expected)


def test_a_day_of_which_the_schedule_knows_nothing_is_passed_over():
    mondays = job(schedule="0 3 * * 1")
    assert due(run("09:00", run_date=date(2024, 5, 15)), mondays).at == at("2024-05-13T03:00:00")


def test_the_day_is_that_of_the_job_s_zone():
    tokyo = job(schedule="0 3 * * *", timezone="Asia/Tokyo")
    told = run("2024-05-14T20:00Z", run_date=date(2024, 5, 15))
    assert due(told, tokyo).at == at("2024-05-15T03:00+09:00")


@pytest.mark.parametrize(
    ("owed_since", "owed"),
    [
        pytest.param("02:59:59", True, id="the job is old enough"),
        pytest.param("03:00", False, id="it came with the slot"),
        pytest.param("08:00", False, id="it is new"),
    ],
)
def test_a_slot_is_owed_after_the_job_first_stood_there(owed_since, owed):
    found = due(run("09:00", "09:04"), owed_since=at(owed_since))
    assert found.owed is owed
    assert found.at == at("03:00" if owed else "09:00")
    assert found.deadline == found.at + minutes(65)


# Europe/Berlin   2024-10-27T01:00Z   03:00+02:00 → 02:00+01:00
def test_a_run_that_was_not_owed_keeps_its_instant_in_a_repeated_hour():
    berlin = job(timezone="Europe/Berlin")
    second = at("2024-10-27T01:30Z")
    found = due(run(None, None, started_at=second), berlin, owed_since=at("2024-10-27T00:00Z"))
    assert found.at.isoformat() == "2024-10-27T02:30:00+01:00"
    # Two datetimes whose zone repeats the hour are never equal, whatever they say.
    assert found.at == second
    assert found.deadline == second + minutes(65)


def test_a_window_has_no_gap_on_the_night_of_a_change():
    berlin = job(timezone="Europe/Berlin")
    night = make_slot(berlin, at("2024-10-27T02:30+02:00"))
    assert night.deadline == at("2024-10-27T01:35Z")


# ---- lines without a time -----------------------------------------------------------------------


def untimed(since, until, **changed):
    return run(None, until, untimed_since=at(since), **changed)


@pytest.mark.parametrize(
    ("told", "taken", "expected"),
    [
        pytest.param(untimed("05:10", "05:11"), (), "05:00", id="a short interval"),
        pytest.param(untimed("01:10", "05:10"), (), "01:00", id="the first one it may have served"),
        pytest.param(untimed("01:36", "05:10"), (), "02:00", id="that it served in time"),
        pytest.param(untimed("01:10", "05:10"), ("01:00", "02:00"), "03:00", id="that wants one"),
        pytest.param(
            untimed("03:50", "05:10"), ("03:00", "04:00", "05:00"), "05:00", id="else the last one"
        ),
        pytest.param(untimed("04:59:30", "05:00:01"), (), "05:00", id="over the slot's beginning"),
        pytest.param(
            untimed("04:58", "05:31", duration_s=1800.0), ("04:00",), "05:00", id="with a duration"
        ),
        pytest.param(
            untimed("05:01", "05:02", duration_s=300.0), (), "04:00", id="it began before the slot"
        ),
        pytest.param(untimed("01:10", "05:10", started_at=at("04:30")), (), "04:00", id="a start"),
    ],
)
def test_a_line_without_a_time_serves_the_first_slot_that_wants_it(told, taken, expected):
    assert due(told, HOURLY, taken={at(each) for each in taken}).at == at(expected)


def test_the_search_is_bounded():
    told = untimed("2020-01-01T00:00:00", "05:10")
    assert due(told, MINUTELY, taken=_Everything()).at == at("05:10")


class _Everything:
    def __contains__(self, _) -> bool:
        return True


INSTANTS = st.integers(0, 24 * 60 * 4).map(lambda quarter: at("00:00") + minutes(quarter / 4))


@given(INSTANTS, st.sampled_from([DAILY, HOURLY, MINUTELY, EVERY]))
def test_a_run_with_a_time_never_belongs_to_a_slot_after_its_start_and_the_early_start(start, of):
    schedule = parse(of.schedule, of.timezone)
    found = due(run(None, None, started_at=start), of)
    assert found.at <= start + schedule.early_start
    assert schedule.next_after(found.at) > start + schedule.early_start


@given(INSTANTS, INSTANTS, st.sets(st.integers(0, 23)))
def test_a_line_without_a_time_stays_within_its_interval(since, until, taken):
    since, until = sorted((since, until))
    found = due(
        run(None, None, ended_at=until, untimed_since=since),
        HOURLY,
        taken={at(f"{hour:02}:00") for hour in taken},
    )
    assert found.at <= until + minutes(1)
    assert found.at > since - minutes(60)
