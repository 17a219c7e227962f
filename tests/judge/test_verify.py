"""One slot, its runs and the time: every verdict with its reason, at every border."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.runs import make_slot
from cronverifyd.judge.schedule import parse
from cronverifyd.judge.verify import first_moment, judge, own_deadline
from cronverifyd.model import Verdict
from tests.builders import at, job, minutes, run, seconds, slot

# The slot of most tests is 03:00, its deadline 04:05.
DUE = slot("03:00")
TICK = seconds(0.000001)


def verdict(runs, now, of=None, due=None):
    """Give the verdict and the reason."""
    found = judge(of or job(), due or DUE, runs, at(now))
    return str(found.verdict), found.reason


# ---- pending and missed -------------------------------------------------------------------------


def test_a_slot_of_which_nothing_was_heard_is_pending_until_its_deadline():
    found = judge(job(), DUE, [], at("04:04:59.999999"))
    assert (found.verdict, found.until, found.run) == (Verdict.PENDING, at("04:05"), None)
    assert found.reason == "not heard of yet, expected by 04:05:00"


def test_with_its_deadline_it_is_missed():
    found = judge(job(), DUE, [], at("04:05"))
    assert (found.verdict, found.until, found.run) == (Verdict.MISSED, None, None)
    assert found.reason == "no run for it ended by the deadline 04:05:00 and none for it is running"


def test_with_start_within_it_is_missed_without_waiting_for_the_deadline():
    impatient = job(start_within_s=120.0)
    assert verdict([], "03:01:59", impatient)[0] == "pending"
    assert verdict([], "03:02", impatient) == (
        "missed",
        "no sign of a run within 2 min of 03:00:00",
    )


def test_a_late_start_turns_missed_back_into_pending_and_then_ok():
    impatient = job(start_within_s=120.0)
    late = run("03:03")
    assert verdict([late], "03:04", impatient) == (
        "pending",
        "running since 03:03:00, started 3 min late",
    )
    assert verdict([run("03:03", "03:10")], "03:11", impatient) == (
        "ok",
        'ended with status "success" at 03:10:00, started 3 min late',
    )


@pytest.mark.parametrize(
    ("start_within_s", "expected"),
    [
        pytest.param(None, "04:05", id="not checked"),
        pytest.param(120.0, "03:02", id="two minutes"),
        pytest.param(7200.0, "04:05", id="later than the deadline"),
    ],
)
def test_the_first_moment_is_start_within_or_the_deadline(start_within_s, expected):
    assert first_moment(job(start_within_s=start_within_s), DUE) == at(expected)


def test_a_start_within_beyond_the_deadline_is_not_named_in_the_reason():
    assert verdict([], "04:05", job(start_within_s=7200.0))[1] == (
        "no run for it ended by the deadline 04:05:00 and none for it is running"
    )


def test_a_running_job_is_pending_until_its_deadline():
    found = judge(job(), DUE, [run("03:00:01")], at("03:30"))
    assert (found.verdict, found.until, found.run) == (Verdict.PENDING, at("04:05:01"), "r1")
    assert found.reason == "running since 03:00:01"


# ---- ok and late --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        pytest.param("04:04:59.999999", "ok", id="just before the deadline"),
        pytest.param("04:05", "ok", id="exactly at the deadline"),
        pytest.param("04:05:00.000001", "late", id="just after the deadline"),
    ],
)
def test_a_good_run_is_ok_up_to_and_including_the_deadline(ended, expected):
    assert verdict([run("03:00", ended)], "05:00")[0] == expected


def test_ok_says_when_and_how_long():
    assert verdict([run("03:00", "03:04", duration_s=240.5)], "03:05") == (
        "ok",
        'ended with status "success" at 03:04:00 after 4 min',
    )


def test_late_says_by_how_much():
    assert verdict([run("03:00", "04:06:30")], "05:00") == (
        "late",
        'ended with status "success" at 04:06:30, 1 min 30 s after the deadline',
    )


def test_a_run_by_hand_afterwards_makes_the_slot_late():
    assert verdict([run("09:00", "09:10")], "10:00") == (
        "late",
        'ended with status "success" at 09:10:00, started 6 h late, 5 h 5 min after the deadline',
    )


def test_an_end_on_another_day_bears_its_date():
    late = run("03:00", "2024-05-16T00:10:00")
    assert "at 2024-05-16 00:10:00" in verdict([late], "2024-05-16T01:00:00")[1]


def test_failed_and_then_good_in_time_is_ok():
    runs = [run("03:00", "03:04", "failed"), run("03:10", "03:14", run="r2")]
    assert judge(job(), DUE, runs, at("03:15")).run == "r2"
    assert verdict(runs, "03:15")[0] == "ok"


def test_missed_and_then_run_by_hand_beyond_the_deadline_is_late():
    runs = [run("03:00", "03:04", "failed"), run("08:00", "08:04", run="r2")]
    assert verdict(runs, "09:00")[0] == "late"


def test_good_and_then_failed_stays_ok():
    runs = [run("03:00", "03:04"), run("03:10", "03:14", "failed", run="r2")]
    found = judge(job(), DUE, runs, at("03:15"))
    assert (found.verdict, found.run) == (Verdict.OK, "r1")


def test_of_two_late_runs_the_first_one_decides():
    runs = [run("09:00", "09:10", run="r2"), run("05:00", "05:10")]
    assert judge(job(), DUE, runs, at("10:00")).run == "r1"


def test_a_status_of_the_job_s_own_is_good_if_it_is_expected():
    assert verdict([run("03:00", "03:04", "done")], "03:05", job(expected_status="done"))[0] == "ok"


def test_success_is_not_good_if_something_else_is_expected():
    assert verdict([run("03:00", "03:04")], "03:05", job(expected_status="done")) == (
        "failed",
        'ended with status "success" at 03:04:00, expected "done"',
    )


@pytest.mark.parametrize(
    ("start", "words"),
    [
        pytest.param("02:59:30", "", id="a bit early"),
        pytest.param("03:01", "", id="a minute late, as cron may"),
        pytest.param("03:01:01", ", started 1 min 1 s late", id="later than that"),
    ],
)
def test_a_late_start_is_named_beyond_a_minute(start, words):
    assert verdict([run(start, "03:04")], "03:05")[1] == (
        f'ended with status "success" at 03:04:00{words}'
    )


# ---- failed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "how"),
    [
        pytest.param({}, "", id="nothing more is known"),
        pytest.param({"exit_code": 3}, " (exit code 3)", id="an exit code"),
        pytest.param({"exit_code": 0}, " (exit code 0)", id="even 0"),
        pytest.param({"signal": "SIGKILL", "exit_code": 137}, " (killed by SIGKILL)", id="signal"),
    ],
)
def test_failed_says_how(told, how):
    assert verdict([run("03:00", "03:04", "failed", **told)], "03:05") == (
        "failed",
        f'ended with status "failed"{how} at 03:04:00, expected "success"',
    )


def test_a_failure_is_told_at_once_and_not_at_the_deadline():
    found = judge(job(), DUE, [run("03:00", "03:00:04", "failed")], at("03:00:04"))
    assert (found.verdict, found.until) == (Verdict.FAILED, None)


def test_of_two_failures_the_later_one_is_told():
    runs = [run("03:10", "03:14", "worse", run="r2"), run("03:00", "03:04", "failed")]
    found = judge(job(), DUE, runs, at("03:15"))
    assert found.run == "r2"


def test_a_hostile_status_is_one_short_line():
    reason = verdict([run("03:00", "03:04", "x\n" * 100)], "03:05")[1]
    assert "\n" not in reason
    assert len(reason) < 200


def test_failed_while_another_one_runs_is_failed_until_that_one_is_due():
    runs = [run("03:00", "03:04", "failed"), run("03:10", run="r2")]
    found = judge(job(), DUE, runs, at("03:15"))
    assert (found.verdict, found.run, found.until) == (Verdict.FAILED, "r1", at("04:15"))
    later = judge(job(), DUE, runs, at("04:15"))
    assert (later.verdict, later.run) == (Verdict.OVERRUN, "r2")


# ---- overrun ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "now", "expected"),
    [
        pytest.param("02:59:30", "04:04:59.999999", "pending", id="early start, before"),
        pytest.param("02:59:30", "04:05", "overrun", id="early start, at the slot's deadline"),
        pytest.param("03:00", "04:05", "overrun", id="at its deadline"),
        pytest.param("03:20", "04:05", "pending", id="late start, at the slot's deadline"),
        pytest.param("03:20", "04:24:59.999999", "pending", id="late start, before its own"),
        pytest.param("03:20", "04:25", "overrun", id="late start, at its own deadline"),
    ],
)
def test_a_run_that_is_not_over_at_its_deadline_is_an_overrun(start, now, expected):
    assert verdict([run(start)], now)[0] == expected


def test_overrun_says_since_when():
    found = judge(job(), DUE, [run("02:59:30")], at("04:10:01"))
    assert (found.until, found.run) == (None, "r1")
    assert found.reason == (
        "still running 1 h 5 min after its start at 02:59:30, expected to end within 1 h 5 min"
    )


def test_and_says_the_same_whenever_it_is_looked_at():
    early = judge(job(), DUE, [run("03:00")], at("04:05"))
    assert judge(job(), DUE, [run("03:00")], at("2024-06-01T00:00:00")) == early


def test_of_two_that_run_the_newer_one_is_named_and_the_older_one_is_due_first():
    runs = [run("03:20", run="r2"), run("03:00")]
    found = judge(job(), DUE, runs, at("03:30"))
    assert (found.verdict, found.run, found.until) == (Verdict.PENDING, "r2", at("04:05"))


def test_an_overrun_that_ends_well_after_all_is_late():
    assert verdict([run("03:00", "05:00")], "05:00:01")[0] == "late"


def test_an_overrun_that_ends_badly_is_failed():
    assert verdict([run("03:00", "05:00", "failed")], "05:00:01")[0] == "failed"


def test_a_good_run_counts_although_another_one_hangs():
    runs = [run("03:00"), run("03:10", "03:20", run="r2")]
    assert verdict(runs, "06:00")[0] == "ok"


def test_own_deadline_is_never_before_the_slot_s():
    assert own_deadline(job(), DUE, run("02:59")) == at("04:05")
    assert own_deadline(job(), DUE, run("03:01")) == at("04:06")


# ---- lines without a time -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        pytest.param("04:04:59.999999", "ok", id="it may have been in time"),
        pytest.param("04:05", "late", id="it cannot have been in time"),
    ],
)
def test_a_line_without_a_time_gets_the_benefit_of_the_interval(since, expected):
    untimed = run(None, "04:06", untimed_since=at(since))
    assert verdict([untimed], "04:07")[0] == expected


def test_a_line_that_was_written_at_the_deadline_was_in_time():
    assert verdict([run(None, "04:05", untimed_since=at("04:05"))], "04:07")[0] == "ok"


def test_and_the_reason_says_so():
    untimed = run(None, "03:06", untimed_since=at("03:04"))
    assert verdict([untimed], "03:07")[1] == (
        'ended with status "success" between 03:04:00 and 03:06:00 (its line has no time)'
    )


# ---- runs that were not owed --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "status", "now", "expected"),
    [
        pytest.param("10:04", "success", "10:05", "ok", id="good"),
        pytest.param("10:04", "failed", "10:05", "failed", id="bad"),
        pytest.param(None, None, "11:04", "pending", id="running"),
        pytest.param(None, None, "11:05", "overrun", id="too long"),
    ],
)
def test_a_run_that_was_not_owed_is_judged_by_itself(ended, status, now, expected):
    unowed = slot("10:00", owed=False)
    found = verdict([run("10:00", ended, status)], now, due=unowed)
    assert found[0] == expected
    assert "late" not in found[1]


# ---- the nights on which the clocks change ------------------------------------------------------

# Europe/Berlin   2024-03-31T01:00Z   02:00+01:00 → 03:00+02:00
#                 2024-10-27T01:00Z   03:00+02:00 → 02:00+01:00
BERLIN = job(timezone="Europe/Berlin", schedule="30 1 * * *", max_duration_s=7200.0, grace_s=0.0)


@pytest.mark.parametrize(
    ("before", "due", "deadline"),
    [
        pytest.param(
            "2024-03-30T12:00Z", "2024-03-31T01:30+01:00", "2024-03-31T04:30+02:00", id="spring"
        ),
        pytest.param(
            "2024-10-26T12:00Z", "2024-10-27T01:30+02:00", "2024-10-27T02:30+01:00", id="autumn"
        ),
    ],
)
def test_a_window_is_as_long_as_ever_when_the_clocks_change(before, due, deadline):
    at_night = make_slot(BERLIN, parse(BERLIN.schedule, BERLIN.timezone).next_after(at(before)))
    assert (at_night.at, at_night.deadline) == (at(due), at(deadline))
    in_time = run(None, deadline)
    assert judge(BERLIN, at_night, [in_time], at(deadline) + TICK).verdict is Verdict.OK
    assert judge(BERLIN, at_night, [], at(deadline) - TICK).verdict is Verdict.PENDING
    assert judge(BERLIN, at_night, [], at(deadline)).verdict is Verdict.MISSED


def test_a_late_start_has_its_own_full_window_when_the_clocks_change():
    night = make_slot(BERLIN, at("2024-10-27T01:30+02:00"))
    late = run("2024-10-27T02:59+02:00")
    assert own_deadline(BERLIN, night, late) == at("2024-10-27T03:59+01:00")


def test_the_reason_shows_the_wall_of_the_job_s_zone():
    night = make_slot(BERLIN, at("2024-03-31T01:30+01:00"))
    ended = run("2024-03-31T00:30Z", "2024-03-31T01:10Z")
    assert "at 03:10:00" in judge(BERLIN, night, [ended], at("2024-03-31T02:00Z")).reason


# ---- what else is expected ----------------------------------------------------------------------

PICKY = job(expect=("duration > 30s", "metric.rows >= 1"))


def test_a_run_of_which_every_assertion_holds_is_ok():
    good = run("03:00", "03:04", duration_s=240.0, metrics={"rows": 7})
    assert judge(PICKY, DUE, [good], at("03:04")).verdict is Verdict.OK


def test_success_that_breaks_assertions_is_unmet_and_says_which_with_numbers():
    swallowed = run("03:00", "03:00:04", duration_s=4.0, metrics={"rows": 0})
    found = judge(PICKY, DUE, [swallowed], at("03:01"))

    assert found.verdict is Verdict.UNMET
    assert found.verdict.bad
    assert found.run == swallowed.run
    assert found.reason == (
        'ended with status "success" at 03:00:04 after 4 s, but ran 4 s, expected more than 30 s;'
        " metric rows was 0, expected at least 1"
    )


def test_a_run_that_failed_is_failed_whatever_its_assertions_say():
    runs = [
        run("03:00", "03:00:04", duration_s=4.0, run="a"),
        run("03:10", "03:10:04", "failed", duration_s=4.0, run="b"),
    ]
    assert judge(PICKY, DUE, runs, at("03:11")).verdict is Verdict.FAILED


def test_a_later_run_that_meets_them_makes_up_for_one_that_did_not():
    runs = [
        run("03:00", "03:00:04", duration_s=4.0, metrics={"rows": 0}, run="a"),
        run("05:00", "05:04", duration_s=240.0, metrics={"rows": 7}, run="b"),
    ]
    assert judge(PICKY, DUE, runs, at("05:05")).verdict is Verdict.LATE


# ---- whatever was written -----------------------------------------------------------------------

INSTANTS = st.integers(0, 4 * 60).map(lambda minute: at("02:00") + minutes(minute))


@st.composite
def some_run(draw):
    start = draw(st.none() | INSTANTS)
    end = draw(INSTANTS if start is None else st.none() | INSTANTS)
    return run(
        None,
        None,
        draw(st.sampled_from(["success", "failed"])) if end else None,
        run=f"r{draw(st.integers(0, 9**9))}",
        started_at=start,
        ended_at=end,
    )


@given(st.lists(some_run(), max_size=4, unique_by=lambda r: r.run), INSTANTS)
def test_the_order_of_the_runs_does_not_matter(runs, now):
    found = {judge(job(), DUE, order, now).verdict for order in permutations(runs)}
    assert len(found) == 1


@given(st.lists(some_run(), max_size=4), INSTANTS)
def test_until_is_the_next_instant_at_which_the_verdict_changes_by_itself(runs, now):
    found = judge(job(start_within_s=600.0), DUE, runs, now)
    if found.until is None:
        horizon = at("12:00")
        assert found.verdict is not Verdict.PENDING
    else:
        horizon = found.until - TICK
        assert found.until > now
        assert judge(job(start_within_s=600.0), DUE, runs, found.until).verdict != found.verdict
    assert judge(job(start_within_s=600.0), DUE, runs, max(now, horizon)).verdict is found.verdict
