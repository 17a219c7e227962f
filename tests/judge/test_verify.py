"""One slot, its runs and the time: every verdict with its reason, at every border."""

from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.runs import Window, join, make_slot
from cronverifyd.judge.schedule import parse
from cronverifyd.judge.verify import first_moment, is_good, judge, own_deadline, wants_measuring
from cronverifyd.model import Artifact, ArtifactRule, Loss, Verdict
from tests.builders import at, event, hole, job, lost, minutes, run, seconds, slot, untimed

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
    assert verdict([untimed(since, "04:06")], "04:07")[0] == expected


def test_a_line_that_was_written_at_the_deadline_was_in_time():
    assert verdict([untimed("04:05", "04:05")], "04:07")[0] == "ok"


def test_and_the_reason_says_so():
    assert verdict([untimed("03:04", "03:06")], "03:07")[1] == (
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


# ---- interrupted --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "what"),
    [
        pytest.param({"pid": 42}, "its process 42 is gone, seen at 03:10:00", id="gone"),
        pytest.param({}, "its process is gone, seen at 03:10:00", id="gone, of unknown pid"),
        pytest.param(
            {"loss": "orphaned", "pid": 42},
            "its wrapper was killed, seen at 03:10:00, when the job itself still ran as process 42",
            id="orphaned",
        ),
        pytest.param(
            {"loss": "rebooted"}, "the host was rebooted at 03:10:00", id="rebooted meanwhile"
        ),
    ],
)
def test_a_run_whose_end_will_never_be_recorded_is_interrupted_at_once(told, what):
    found = judge(job(), DUE, [lost("03:00:01", "03:10", **told)], at("03:10"))
    assert (found.verdict, found.until, found.run) == (Verdict.INTERRUPTED, None, "r1")
    assert found.reason == f"started at 03:00:01, and its end will never be recorded: {what}"
    assert found.verdict.bad


def test_and_stays_so_at_its_deadline():
    gone = [lost("03:00:01", "03:10")]
    assert judge(job(), DUE, gone, at("2024-06-01T00:00:00")) == judge(
        job(), DUE, gone, at("03:10")
    )


def test_of_two_that_were_interrupted_the_newer_one_is_told():
    runs = [lost("03:20", "03:30", run="r2"), lost("03:00", "03:10")]
    assert judge(job(), DUE, runs, at("03:40")).run == "r2"


@pytest.mark.parametrize(
    ("status", "ended", "expected"),
    [
        pytest.param("success", "03:20", "ok", id="well"),
        pytest.param("success", "05:00", "late", id="well, after the deadline"),
        pytest.param("failed", "03:20", "failed", id="badly"),
    ],
)
@pytest.mark.parametrize("loss", Loss)
def test_an_end_that_is_recorded_after_all_counts(loss, status, ended, expected):
    line = event("finish", ended, status=status)
    written = Window(earliest=at("03:00"), latest=at("06:00"))
    whole = join(lost("03:00", "03:10", loss), line, run_id="r1", written=written)
    assert verdict([whole], "06:00")[0] == expected


def test_a_run_by_hand_makes_up_for_one_that_was_interrupted():
    runs = [lost("03:00", "03:10"), run("08:00", "08:04", run="r2")]
    assert verdict(runs, "09:00")[0] == "late"


def test_until_that_has_ended_it_is_still_interrupted():
    runs = [lost("03:00", "03:10"), run("03:20", run="r2")]
    found = judge(job(), DUE, runs, at("03:30"))
    assert (found.verdict, found.run) == (Verdict.INTERRUPTED, "r1")


# ---- artifacts ----------------------------------------------------------------------------------

RULE = ArtifactRule(path="/backups/db-*.sql.gz", min_size=1_000.0)
MADE = Artifact(
    rule=RULE.path, found="/backups/db-1.sql.gz", size=5_000, modified_at=at("03:00:30")
)
SMALL = replace(MADE, size=812)
MAKING = job(artifacts=(RULE,))


def making(*artifacts, **changed):
    """Build a run that has ended well and been measured."""
    return run("03:00", "03:04", **({"artifacts": artifacts} | changed))


def test_a_run_that_made_what_it_owed_is_ok():
    found = judge(MAKING, DUE, [making(MADE)], at("03:05"))
    assert (found.verdict, found.reason) == (
        Verdict.OK,
        'ended with status "success" at 03:04:00',
    )


@pytest.mark.parametrize(
    ("artifact", "what"),
    [
        pytest.param(Artifact(rule=RULE.path), f"no file matches {RULE.path}", id="missing"),
        pytest.param(SMALL, f"{MADE.found} is 812 bytes, expected at least 1 kB", id="too small"),
        pytest.param(
            replace(MADE, modified_at=at("02:50")),
            f"{MADE.found} was last written 02:50:00, before this run started at 03:00:00",
            id="old",
        ),
    ],
)
def test_success_that_did_not_make_it_is_artifact_and_says_what_is_wrong(artifact, what):
    found = judge(MAKING, DUE, [making(artifact)], at("03:05"))
    assert (found.verdict, found.run, found.until) == (Verdict.ARTIFACT, "r1", None)
    assert found.reason == f'ended with status "success" at 03:04:00, but {what}'
    assert found.verdict.bad


def test_everything_that_is_wrong_is_said():
    both = job(artifacts=(RULE, ArtifactRule(path="/backups/log")))
    reason = judge(both, DUE, [making(SMALL, Artifact(rule="/backups/log"))], at("03:05")).reason
    assert reason.endswith("expected at least 1 kB; no file matches /backups/log")


def test_an_assertion_that_does_not_hold_is_told_before_the_artifact():
    picky = job(artifacts=(RULE,), expect=("exit_code == 0",))
    found = judge(picky, DUE, [making(SMALL, exit_code=3)], at("03:05"))
    assert found.verdict is Verdict.UNMET
    assert "812" not in found.reason


def test_a_status_other_than_expected_is_failed_whatever_was_made():
    assert verdict([making(SMALL, status="failed")], "03:05", MAKING)[0] == "failed"


@pytest.mark.parametrize(
    ("rules", "made"), [((RULE,), "1 artifact"), ((RULE, ArtifactRule(path="/x")), "2 artifacts")]
)
@pytest.mark.parametrize("now", ["03:04", "04:05", "2024-06-01T00:00:00"])
def test_what_has_not_been_measured_yet_is_waited_for(rules, made, now):
    found = judge(job(artifacts=rules), DUE, [making()], at(now))
    assert (found.verdict, found.run, found.until) == (Verdict.PENDING, "r1", None)
    assert found.reason == f'ended with status "success" at 03:04:00, its {made} being measured'


@pytest.mark.parametrize(
    "end",
    [
        pytest.param({"status": "failed"}, id="it failed"),
        pytest.param({"exit_code": 3}, id="an assertion does not hold"),
    ],
)
def test_nobody_waits_for_what_can_no_longer_make_the_run_good(end):
    picky = job(artifacts=(RULE,), expect=("exit_code != 3",))
    waiting = making(exit_code=0)
    spoilt = replace(waiting, **end)
    assert wants_measuring(picky, waiting)
    assert not wants_measuring(picky, spoilt)
    assert judge(picky, DUE, [spoilt], at("03:05")).verdict in {Verdict.FAILED, Verdict.UNMET}


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(making(artifacts=None), id="it ended before there was a rule"),
        pytest.param(making(replace(SMALL, rule="/gone")), id="of a rule that is no more"),
        pytest.param(making(MADE), id="measured and good"),
    ],
)
def test_a_run_is_good_if_nothing_is_wrong_with_it(told):
    assert is_good(MAKING, told)
    assert not wants_measuring(MAKING, told)
    assert verdict([told], "03:05", MAKING)[0] == "ok"


def test_with_its_last_rule_gone_nothing_is_waited_for():
    assert is_good(job(), making())
    assert verdict([making()], "03:05")[0] == "ok"


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(run("03:00"), id="running"),
        pytest.param(lost("03:00", "03:01"), id="lost"),
        pytest.param(run("03:00", "03:04", "failed"), id="failed"),
        pytest.param(making(), id="not measured"),
        pytest.param(making(SMALL), id="measured and bad"),
    ],
)
def test_any_other_run_is_not(told):
    assert not is_good(MAKING, told)


# ---- several things at once: what counts first --------------------------------------------------

# Each of these makes one verdict true, whatever else is; in the order in which they are tried.
NOW = "06:00"
STRICT = job(artifacts=(RULE,), expect=("metric.rows >= 1",))
WELL = {"metrics": {"rows": 1}, "artifacts": (MADE,)}
WITNESSES = {
    "ok": run("03:00", "03:40", **WELL),
    "late": run("03:00", "05:00", **WELL),
    "interrupted": lost("03:00", "03:40"),
    "overrun": run("03:00"),
    "failed": run("03:00", "03:40", "failed"),
    "unmet": run("03:00", "03:40", **WELL | {"metrics": {"rows": 0}}),
    "artifact": run("03:00", "03:40", **WELL | {"artifacts": (SMALL,)}),
    "pending, measuring": run("03:00", "03:40", **WELL | {"artifacts": ()}),
    "pending, running": run("05:30"),
}
ORDER = list(WITNESSES)
PAIRS = list(combinations(ORDER, 2))


def witness(name, later=0):
    """Give a run that makes a verdict true, some minutes later than its model."""
    told = WITNESSES[name]
    moved = {
        field: getattr(told, field) + minutes(later)
        for field in ("started_at", "ended_at", "lost_at")
        if getattr(told, field) is not None
    }
    made = [replace(each, modified_at=at("03:20")) for each in told.artifacts or ()]
    return replace(told, run=name, artifacts=told.artifacts and tuple(made), **moved)


@pytest.mark.parametrize("name", ORDER)
def test_alone_each_makes_its_verdict(name):
    found = judge(STRICT, DUE, [witness(name)], at(NOW))
    assert (str(found.verdict), found.run) == (name.split(",")[0], name)


@pytest.mark.parametrize(("first_later", "second_later"), [(0, 10), (10, 0), (0, 0)])
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[" before ".join(p) for p in PAIRS])
def test_of_two_that_are_true_the_one_that_is_tried_first_counts(
    first, second, first_later, second_later
):
    runs = [witness(first, first_later), witness(second, second_later)]
    alone = judge(STRICT, DUE, runs[:1], at(NOW))
    for order in (runs, runs[::-1]):
        found = judge(STRICT, DUE, order, at(NOW))
        assert (found.verdict, found.run, found.reason) == (alone.verdict, first, alone.reason)


def test_with_nothing_of_all_that_it_is_missed():
    assert verdict([], NOW, STRICT)[0] == "missed"


@given(st.sets(st.sampled_from(ORDER)), st.randoms(use_true_random=False))
def test_and_so_of_any_number(names, chance):
    runs = [witness(name, chance.choice([0, 5, 10])) for name in names]
    first = min(names, key=ORDER.index, default="missed")
    assert str(judge(STRICT, DUE, runs, at(NOW)).verdict) == first.split(",")[0]


@pytest.mark.parametrize("name", ["failed", "unmet", "artifact"])
def test_what_is_bad_while_another_one_runs_is_so_until_that_one_is_due(name):
    runs = [witness(name), witness("pending, running")]
    found = judge(STRICT, DUE, runs, at(NOW))
    assert (str(found.verdict), found.until) == (name, at("06:35"))
    assert judge(STRICT, DUE, runs, at("06:35")).verdict is Verdict.OVERRUN


def test_so_is_what_is_measured_while_another_one_runs():
    runs = [witness("pending, measuring"), witness("pending, running")]
    assert judge(STRICT, DUE, runs, at("06:35")).verdict is Verdict.OVERRUN
    assert judge(STRICT, DUE, runs, at(NOW)).until == at("06:35")


@pytest.mark.parametrize("name", ["failed", "unmet", "artifact", "pending, measuring"])
def test_of_two_that_ended_alike_the_later_one_is_told(name):
    runs = [replace(witness(name, later), run=f"r{later}") for later in (10, 0)]
    assert judge(STRICT, DUE, runs, at(NOW)).run == "r10"


def test_of_two_that_run_too_long_the_older_one_is_told():
    runs = [run("03:20", run="r2"), run("03:00")]
    assert judge(job(), DUE, runs, at(NOW)).run == "r1"


# ---- slots that expect several runs -------------------------------------------------------------

# Right after a spring gap cron starts a job once for each of its times that the clock jumped over.
TWICE = slot("03:00", starts=2)
FIRST = run("03:00", "03:10")
SECOND = run("03:00", "03:20", run="r2")


def test_with_no_run_yet_it_is_like_any_other_slot():
    assert verdict([], "03:30", due=TWICE) == ("pending", "not heard of yet, expected by 04:05:00")
    assert verdict([], "04:05", due=TWICE)[0] == "missed"
    impatient = job(start_within_s=120.0)
    assert verdict([], "03:02", impatient, due=TWICE)[0] == "missed"


@pytest.mark.parametrize("of", [job(), job(start_within_s=120.0)], ids=["plain", "start_within"])
def test_with_one_of_two_it_is_pending_until_its_deadline(of):
    found = judge(of, TWICE, [FIRST], at("04:04:59.999999"))
    assert (found.verdict, found.until) == (Verdict.PENDING, at("04:05"))
    assert found.reason == "only 1 of 2 runs heard of yet, expected by 04:05:00"


@pytest.mark.parametrize("of", [job(), job(start_within_s=120.0)], ids=["plain", "start_within"])
def test_and_missed_with_it(of):
    found = judge(of, TWICE, [FIRST], at("04:05"))
    assert (found.verdict, found.until) == (Verdict.MISSED, None)
    assert found.reason == "only 1 of the 2 runs that cron starts for it ended by 04:05:00"


def test_with_all_of_them_in_time_it_is_ok_by_the_last_one():
    found = judge(job(), TWICE, [SECOND, FIRST], at("03:20"))
    assert (found.verdict, found.run) == (Verdict.OK, "r2")
    assert found.reason == 'ended with status "success" at 03:20:00, the last of 2 runs'


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        pytest.param("04:05", "ok", id="at the deadline"),
        pytest.param("04:05:00.000001", "late", id="just after it"),
    ],
)
def test_it_is_ok_only_if_the_last_one_was_in_time(ended, expected):
    assert verdict([FIRST, run("03:00", ended, run="r2")], "06:00", due=TWICE)[0] == expected


def test_late_says_by_how_much_the_last_one_was():
    runs = [FIRST, run("05:00", "05:05", run="r2"), run("06:00", "06:05", run="r3")]
    found = judge(job(), TWICE, runs, at("07:00"))
    assert (found.verdict, found.run) == (Verdict.LATE, "r2")
    assert found.reason == (
        'ended with status "success" at 05:05:00, started 2 h late, 1 h after the deadline,'
        " the last of 2 runs"
    )


def test_of_more_than_it_expects_the_first_ones_in_time_decide():
    runs = [
        untimed("04:00", "04:30", run="maybe in time"),
        run("03:00", "04:20", run="late"),
        FIRST,
    ]
    found = judge(job(), TWICE, runs, at("06:00"))
    assert (found.verdict, found.run) == (Verdict.OK, "maybe in time")


@pytest.mark.parametrize(
    ("other", "expected", "until"),
    [
        pytest.param(run("03:00", run="r2"), "pending", "04:05", id="the other one runs"),
        pytest.param(run("03:00", "03:02", "failed", run="r2"), "failed", None, id="failed"),
        pytest.param(lost("03:00", "03:02", run="r2"), "interrupted", None, id="is lost"),
    ],
)
def test_one_good_run_is_not_enough(other, expected, until):
    found = judge(job(), TWICE, [FIRST, other], at("03:30"))
    assert (str(found.verdict), found.run) == (expected, "r2")
    assert found.until == (at(until) if until else None)


def test_one_that_failed_is_made_up_for_by_another_good_one():
    runs = [FIRST, run("03:00", "03:02", "failed", run="r2"), run("08:00", "08:01", run="r3")]
    assert verdict(runs, "09:00", due=TWICE)[0] == "late"


# ---- unknown ------------------------------------------------------------------------------------

SILENT = {
    "missed": [],
    "overrun": [run("03:00")],
    "interrupted": [lost("03:00", "03:30")],
}


def judged_with(holes, runs=(), now=NOW, of=STRICT, due=DUE):
    return judge(of, due, runs, at(now), holes)


@pytest.mark.parametrize("runs", SILENT.values(), ids=SILENT.keys())
@pytest.mark.parametrize(
    ("since", "until", "unseen"),
    [
        pytest.param("03:30", "03:31", True, id="within the window"),
        pytest.param("02:00", "05:00", True, id="longer than the window"),
        pytest.param("02:00", "03:00:00.000001", True, id="over its beginning"),
        pytest.param("02:00", "03:00", False, id="up to its beginning"),
        pytest.param("04:04:59.999999", "05:00", True, id="over its end"),
        pytest.param("04:05", "05:00", False, id="from its end on"),
        pytest.param("02:00", None, True, id="lasting, since before it"),
        pytest.param("04:04:59.999999", None, True, id="lasting, since before its end"),
        pytest.param("04:05", None, False, id="lasting, from its end on"),
    ],
)
def test_silence_says_nothing_where_nobody_could_look(runs, since, until, unseen):
    alone = judged_with([], runs)
    found = judged_with([hole(since, until)], runs)
    assert (found.verdict is Verdict.UNKNOWN) is unseen
    if unseen:
        assert (found.run, found.until) == (alone.run, None)
    else:
        assert found == alone


@pytest.mark.parametrize("runs", SILENT.values(), ids=SILENT.keys())
def test_without_a_hole_silence_stands(runs):
    found = judged_with([], runs)
    assert str(found.verdict) in SILENT
    assert SILENT[str(found.verdict)] == runs


@pytest.mark.parametrize("name", [name for name in ORDER if name not in SILENT])
@pytest.mark.parametrize("until", ["05:00", None], ids=["ended", "lasting"])
def test_what_rests_on_lines_stands(name, until):
    alone = judged_with([], [witness(name)])
    assert judged_with([hole("02:00", until)], [witness(name)]) == alone


def test_nobody_knows_before_the_deadline_either_way():
    found = judged_with([hole("02:00")], now="04:04:59.999999")
    assert (found.verdict, found.until) == (Verdict.PENDING, at("04:05"))


def test_one_of_several_runs_may_be_hidden():
    found = judged_with([hole("03:30", "03:31")], [FIRST], of=job(), due=TWICE)
    assert found.verdict is Verdict.UNKNOWN


def test_the_end_of_a_run_that_began_late_may_be_hidden_until_its_own_deadline():
    runs = [run("03:20")]
    assert judged_with([hole("04:24:59", "04:30")], runs).verdict is Verdict.UNKNOWN
    assert judged_with([hole("04:25", "04:30")], runs).verdict is Verdict.OVERRUN


def test_nobody_says_that_an_end_will_never_be_recorded_that_may_have_been_lost():
    """The process was gone at 06:00; what was written from 05:00 to 05:10 is lost."""
    runs = [lost("03:00", "06:00")]
    assert judged_with([hole("05:00", "05:10")], runs).verdict is not Verdict.INTERRUPTED


def test_unknown_is_neither_good_nor_bad_and_says_what_may_be_lost():
    found = judged_with([hole("03:30", "03:40")])
    assert (found.verdict.good, found.verdict.bad) == (False, False)
    assert found.reason == (
        "/o.jsonl was truncated: what was written between 03:30:00 and 03:40:00 may be lost"
    )


def test_of_a_hole_that_lasts_it_says_since_when():
    assert judged_with([hole("2024-05-14T22:00:00")]).reason == (
        "/o.jsonl cannot be read: Permission denied: nobody can see what was written since"
        " 2024-05-14 22:00:00"
    )


def test_of_several_holes_one_that_touches_the_window_is_told():
    holes = [hole("01:00", "01:01"), hole("03:30", "03:31", path="/p.jsonl"), hole("05:00")]
    assert judged_with(holes).reason.startswith("/p.jsonl was truncated")


def test_times_are_those_of_the_job_s_zone():
    tokyo = job(timezone="Asia/Tokyo")
    assert "between 12:30:00 and 12:40:00" in judged_with([hole("03:30", "03:40")], of=tokyo).reason


# ---- whatever was written -----------------------------------------------------------------------

# Few instants, so that many of them are the same.
INSTANTS = st.integers(0, 24).map(lambda tenth: at("02:00") + minutes(10 * tenth))
MAKES = st.sampled_from([None, (), (MADE,), (SMALL,), (Artifact(rule=RULE.path),)])
PATIENT = job(start_within_s=600.0, artifacts=(RULE,), expect=("metric.rows >= 1",))


@st.composite
def some_run(draw):
    start = draw(st.none() | INSTANTS)
    end = draw(INSTANTS if start is None else st.none() | INSTANTS)
    seen = draw(st.none() | INSTANTS) if end is None else None
    return run(
        None,
        None,
        draw(st.sampled_from(["success", "failed"])) if end else None,
        run=f"r{draw(st.integers(0, 9**9))}",
        started_at=start,
        ended_at=end,
        untimed_since=draw(st.none() | INSTANTS) if end and start is None else None,
        metrics={"rows": draw(st.integers(0, 1))} if end else None,
        artifacts=draw(MAKES) if end else None,
        lost_at=seen,
        loss=draw(st.sampled_from(Loss)) if seen else None,
    )


some_runs = st.lists(some_run(), max_size=4, unique_by=lambda r: r.run)
slots = st.integers(1, 3).map(lambda starts: slot("03:00", starts=starts))
some_holes = st.lists(
    st.builds(
        lambda since, until: hole(since.isoformat(), until and until.isoformat()),
        INSTANTS,
        st.none() | INSTANTS,
    ),
    max_size=2,
)


@given(slots, some_runs, INSTANTS, some_holes)
def test_the_order_of_the_runs_does_not_matter(due, runs, now, holes):
    found = [judge(PATIENT, due, order, now, holes) for order in permutations(runs)]
    assert all(each == found[0] for each in found)


@given(slots, some_runs, INSTANTS, some_holes)
def test_a_hole_changes_nothing_but_silence(due, runs, now, holes):
    alone, found = judge(PATIENT, due, runs, now), judge(PATIENT, due, runs, now, holes)
    if found != alone:
        assert found.verdict is Verdict.UNKNOWN
        assert str(alone.verdict) in SILENT


@given(slots, some_runs, INSTANTS, some_holes)
def test_a_reason_is_one_line_and_names_an_instant(due, runs, now, holes):
    reason = judge(PATIENT, due, runs, now, holes).reason
    assert "\n" not in reason
    assert any(part.count(":") == 2 for part in reason.replace(",", " ").replace(";", " ").split())


@given(slots, some_runs, INSTANTS)
def test_until_is_the_next_instant_at_which_the_verdict_changes_by_itself(due, runs, now):
    found = judge(PATIENT, due, runs, now)
    if found.until is None:
        horizon = at("12:00")
        assert found.verdict is not Verdict.PENDING or "being measured" in found.reason
    else:
        horizon = found.until - TICK
        assert found.until > now
        assert judge(PATIENT, due, runs, found.until).verdict != found.verdict
    assert judge(PATIENT, due, runs, max(now, horizon)).verdict is found.verdict
