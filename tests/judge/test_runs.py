"""Lines become runs, and runs find their slots."""

from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.runs import Calendar, Window, join, make_slot, skips, slot_of, start_of
from cronverifyd.judge.schedule import parse
from cronverifyd.model import Maintenance, MaintenanceMode, Run
from tests.builders import at, event, job, lost, minutes, run, seconds, slot, untimed

WRITTEN = Window(earliest=at("03:05"), latest=at("03:06"))
LONG_AGO = at("2024-01-01T00:00:00")
FUTURE = "2030-01-01T00:00:00"


def joined(*events, written=WRITTEN, found=None):
    for each in events:
        found = join(found, each, run_id="r1", written=written)
    return found


def due(found, of=None, owed_since=LONG_AGO, taken=(), boots=None):
    of = of or job()
    schedule = parse(of.schedule, of.timezone, tuple(boots.values()) if boots else ())
    calendar = Calendar(schedule=schedule, owed_since=owed_since, taken=taken, boots=boots)
    return slot_of(found, of, calendar)


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
    "an end from the future": [event("start", "03:00"), event("finish", FUTURE)],
    "told twice, from the future": [
        event("start", "03:00"),
        event("finish", FUTURE),
        event("finish", FUTURE),
    ],
    "a failure, and a success from the future": [
        event("start", "03:00"),
        event("finish", "03:04", status="failed", exit_code=1),
        event("finish", FUTURE),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_the_order_of_the_lines_does_not_matter(story):
    told = joined(*story)
    for order in permutations(story):
        assert joined(*order) == told


UNTIMED_STARTS = {
    "a start without a time": [event("start"), event("finish", "03:04")],
    "a start from the future": [event("start", FUTURE), event("finish", "03:04", duration_s=60.0)],
}


@pytest.mark.parametrize("story", UNTIMED_STARTS.values(), ids=UNTIMED_STARTS.keys())
def test_nor_does_it_where_nobody_told_the_start(story):
    told = joined(*story)
    assert told == joined(*reversed(story))
    assert told.started_at <= told.ended_at


@given(st.permutations([line for story in STORIES.values() for line in story]))
def test_a_run_that_has_ended_once_has_ended_whatever_else_is_told(lines):
    told = joined(*lines)
    assert told.status in {"success", "failed"}
    assert told.ended_at >= at("03:04")
    assert told.started_at == at("03:00")


def test_of_two_ends_the_later_one_counts_and_nothing_is_left_of_the_other():
    failed = event("finish", "03:04", status="failed", error="no", exit_code=1, metrics={"rows": 1})
    whole = joined(event("start", "03:00"), failed, event("finish", "03:05"))
    assert whole == run("03:00", "03:05", duration_s=300.0)


def test_what_the_start_said_is_known_after_any_number_of_ends():
    begun = event("start", "03:00", user="alice", pid=7, boot="b1", slot=at("03:00"))
    whole = joined(begun, event("finish", "03:04", status="failed"), event("finish", "03:05"))
    assert whole == run(
        "03:00", "03:05", user="alice", pid=7, boot="b1", slot_hint=at("03:00"), duration_s=300.0
    )


def test_what_a_start_measured_is_kept_unless_its_end_says_otherwise():
    begun = event("start", "03:00", metrics={"rows": 1.0}, output_lines=3)
    whole = joined(begun, event("finish", "03:04", output_lines=9))
    assert (whole.metrics, whole.output_lines) == ({"rows": 1.0}, 9)


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


# ---- lines from the future ----------------------------------------------------------------------

# What is read was written by 03:06; clocks may differ by a minute.
AHEAD = "03:07"
TOO_FAR_AHEAD = "03:07:00.000001"


def test_clocks_may_differ_by_a_minute():
    told = joined(event("start", AHEAD, slot=at(AHEAD)), event("finish", AHEAD))
    assert (told.started_at, told.ended_at, told.slot_hint) == (at(AHEAD),) * 3
    assert told.untimed_since is None


def test_each_time_is_believed_by_itself():
    told = joined(event("finish", AHEAD, slot=at(FUTURE), started_at=at(TOO_FAR_AHEAD)))
    assert (told.ended_at, told.slot_hint, told.started_at) == (at(AHEAD), None, None)


@pytest.mark.parametrize("when", [TOO_FAR_AHEAD, FUTURE])
def test_an_end_after_it_was_read_is_a_line_without_a_time(when):
    told = joined(event("start", "03:00"), event("finish", when, duration_s=7.5))
    assert (told.ended_at, told.untimed_since) == (at("03:06"), at("03:05"))
    assert (told.started_at, told.duration_s) == (at("03:00"), 7.5)


@pytest.mark.parametrize("when", [TOO_FAR_AHEAD, FUTURE])
def test_a_start_after_it_was_read_began_when_it_was_written(when):
    assert joined(event("start", when)).started_at == at("03:06")


@pytest.mark.parametrize("when", [TOO_FAR_AHEAD, FUTURE])
def test_a_finish_does_not_bear_a_start_after_it_was_read(when):
    told = joined(event("finish", "03:04", started_at=at(when), duration_s=60.0))
    assert (told.started_at, told.ended_at) == (at("03:03"), at("03:04"))


@pytest.mark.parametrize("kind", ["start", "finish"])
@pytest.mark.parametrize("when", [TOO_FAR_AHEAD, FUTURE])
def test_nobody_runs_for_a_slot_that_is_to_come(kind, when):
    told = joined(event(kind, "03:04", slot=at(when), user="alice"))
    assert (told.slot_hint, told.user) == (None, "alice")
    assert at("03:04") in {told.started_at, told.ended_at}


def test_when_it_is_read_is_what_counts_and_not_what_other_lines_say():
    later = Window(earliest=at("03:10"), latest=at("03:11"))
    told = joined(event("start", "03:00"), event("finish", AHEAD))
    again = join(told, event("finish", "03:11:30"), run_id="r1", written=later)
    assert (told.ended_at, again.ended_at) == (at(AHEAD), at("03:11:30"))


# ---- runs that are lost -------------------------------------------------------------------------


def test_an_end_that_comes_after_all_clears_the_loss():
    gone = lost("03:00", "03:03", "gone", pid=7)
    assert joined(event("finish", "03:04"), found=gone) == run(
        "03:00", "03:04", pid=7, duration_s=240.0
    )


def test_a_start_that_is_told_again_does_not():
    gone = lost("03:00", "03:03", "gone")
    assert joined(event("start", "03:00"), found=gone) == gone


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


@pytest.mark.parametrize("day", [10, 15])
def test_a_day_of_which_the_schedule_knows_nothing_is_passed_over(day):
    mondays = job(schedule="0 3 * * 1")
    assert due(run("09:00", run_date=date(2024, 5, day)), mondays).at == at("2024-05-13T03:00:00")


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


# ---- several runs in one slot -------------------------------------------------------------------

# Europe/Berlin   2024-03-31T01:00Z   02:00+01:00 → 03:00+02:00
GAP = job(schedule="5-45/20 2 * * *", timezone="Europe/Berlin")
AFTER_THE_GAP = "2024-03-31T03:00:00+02:00"


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(run("2024-03-31T01:00:02Z"), id="by its start"),
        pytest.param(run(None, "2024-03-31T01:03:00Z"), id="by its end"),
        pytest.param(
            run("2024-03-31T09:00:00Z", slot_hint=at(AFTER_THE_GAP)), id="by its own word"
        ),
        pytest.param(
            run("2024-03-31T09:00:00Z", run_date=date(2024, 3, 31)), id="by the day it named"
        ),
    ],
)
def test_a_slot_after_the_spring_gap_expects_as_many_runs_as_cron_starts(told):
    found = due(told, GAP)
    assert (found.at.isoformat(), found.starts, found.owed) == (AFTER_THE_GAP, 3, True)


@pytest.mark.parametrize(
    ("told", "owed_since"),
    [
        pytest.param(run("2024-03-30T01:05:02Z"), LONG_AGO, id="the night before"),
        pytest.param(run("2024-03-31T01:00:02Z"), at("2024-03-31T01:00:00Z"), id="not owed"),
    ],
)
def test_any_other_one_expects_one(told, owed_since):
    assert due(told, GAP, owed_since).starts == 1


def test_a_slot_expects_one_run_unless_told_otherwise():
    assert (slot("03:00").starts, make_slot(job(), at("03:00"), starts=2).starts) == (1, 2)


# ---- boots --------------------------------------------------------------------------------------

REBOOT = job(schedule="@reboot")
BOOTS = {"boot-1": at("01:00"), "boot-2": at("13:00")}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(run("01:00:40", boot="boot-1"), "01:00", id="its boot"),
        pytest.param(run("20:00", boot="boot-1"), "01:00", id="its boot, whenever it ran"),
        pytest.param(run("01:00:40", boot="boot-2"), "13:00", id="its boot, by a wrong clock"),
        pytest.param(run("13:00:40"), "13:00", id="no boot id: the latest one"),
        pytest.param(run("12:59:59"), "13:00", id="no boot id: two clocks that differ"),
        pytest.param(run("12:58:59"), "01:00", id="no boot id: the one before"),
        pytest.param(untimed("12:50", "12:55"), "01:00", id="neither an id nor a time"),
        pytest.param(
            run("14:00", boot="boot-2", slot_hint=at("01:00")), "01:00", id="its own word first"
        ),
        pytest.param(
            run("14:00", boot="boot-2", run_date=date(2024, 5, 14)), "13:00", id="before its day"
        ),
    ],
)
def test_a_run_of_a_reboot_job_belongs_to_a_boot(told, expected):
    found = due(told, REBOOT, boots=BOOTS)
    assert (found.at, found.owed) == (at(expected), True)


@pytest.mark.parametrize(
    ("told", "owed_since", "boots"),
    [
        pytest.param(run("14:00", boot="unseen"), LONG_AGO, BOOTS, id="a boot nobody saw"),
        pytest.param(run("14:00", boot="boot-1"), LONG_AGO, {}, id="no boot is known"),
        pytest.param(run("14:00"), LONG_AGO, {}, id="neither its boot nor any other"),
        pytest.param(run("00:30"), LONG_AGO, BOOTS, id="before the first one"),
        pytest.param(run("14:00", boot="boot-1"), at("01:00"), BOOTS, id="the job came after it"),
    ],
)
def test_else_it_is_judged_by_itself(told, owed_since, boots):
    found = due(told, REBOOT, owed_since, boots=boots)
    assert (found.at, found.owed) == (told.started_at, False)


def test_the_boot_of_a_run_says_nothing_about_other_schedules():
    assert due(run("14:00", boot="boot-2")).at == at("03:00")


# ---- maintenance that skips ---------------------------------------------------------------------

NIGHTLY = Maintenance(schedule="0 2 * * *", duration_s=7200.0, mode=MaintenanceMode.SKIP)
SKIPPING = job(schedule="0 * * * *", max_duration_s=1800.0, maintenance=(NIGHTLY,))


@pytest.mark.parametrize(
    ("hour", "skipped"),
    [("01:00", False), ("02:00", True), ("03:00", True), ("04:00", False)],
)
def test_a_slot_in_a_window_that_skips_is_not_owed(hour, skipped):
    assert skips(SKIPPING, at(hour)) is skipped
    start = at(hour) + seconds(2)
    found = due(run(None, None, started_at=start), SKIPPING)
    assert (found.owed, found.at) == (not skipped, start if skipped else at(hour))


def test_a_run_by_hand_in_a_window_makes_up_for_the_slot_before_it():
    found = due(run("02:30", slot_hint=at("01:00")), SKIPPING)
    assert (found.owed, found.at) == (True, at("01:00"))


def test_a_window_that_mutes_skips_nothing():
    muted = job(maintenance=(Maintenance(schedule="0 2 * * *", duration_s=7200.0),))
    assert not skips(muted, at("03:00"))
    assert due(run("03:00:02"), muted).owed


# ---- lines without a time -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "taken", "expected"),
    [
        pytest.param(untimed("05:10", "05:11"), (), "05:00", id="a short interval"),
        pytest.param(untimed("01:10", "05:10"), (), "01:00", id="the first one it may have served"),
        pytest.param(untimed("01:34", "05:10"), (), "01:00", id="that it may have served in time"),
        pytest.param(untimed("01:35", "05:10"), (), "02:00", id="that it served in time"),
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


@pytest.mark.parametrize(
    ("of", "owed_since"),
    [
        pytest.param(SKIPPING, LONG_AGO, id="skipped by maintenance"),
        pytest.param(HOURLY, at("03:30"), id="before the job stood there"),
        pytest.param(HOURLY, at("03:00"), id="when the job came"),
    ],
)
def test_it_serves_none_that_is_not_owed(of, owed_since):
    found = due(untimed("01:10", "05:10"), of, owed_since, taken={at("01:00")})
    assert (found.owed, found.at) == (True, at("04:00"))


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
