"""What is odd about runs, and what is not although it may look so."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.findings import overlaps, surplus, unregistered
from cronverifyd.judge.runs import start_of
from cronverifyd.judge.schedule import parse
from cronverifyd.judge.verify import is_good
from cronverifyd.model import Artifact, ArtifactRule, Finding, FindingKind
from tests.builders import at, job, lost, minutes, run, seconds, slot, untimed

# The slot of most tests is 03:00, its deadline 04:05.
DUE = slot("03:00")
GOOD = run("03:00", "03:04", run="good")


def found(runs, of=None, due=DUE, second_pass=None):
    """Give the kind of finding by the id of the run."""
    odd = list(surplus(of or job(), due, runs, second_pass))
    assert len({finding.run for finding in odd}) == len(odd)
    return {finding.run: str(finding.kind) for finding in odd}


# ---- duplicate and off_schedule -----------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(run("03:10", "03:14", run="odd"), id="it ended well"),
        pytest.param(run("03:10", "03:14", "failed", run="odd"), id="it failed"),
        pytest.param(run("03:10", run="odd"), id="it runs"),
        pytest.param(lost("03:10", "03:14", run="odd"), id="it is lost"),
        pytest.param(run("04:05", "04:10", run="odd"), id="it began with the deadline"),
        pytest.param(run("03:00:01", "03:05", run="odd"), id="a second later, from another file"),
        pytest.param(run("03:00", "03:05", run="odd"), id="at the same time"),
        pytest.param(run("02:59:30", "03:05", run="odd"), id="it began first and ended well later"),
    ],
)
def test_a_run_too_many_is_a_duplicate(other):
    assert found([GOOD, other]) == {"odd": "duplicate"}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(run("04:05:00.000001", "04:10", run="odd"), id="just after the deadline"),
        pytest.param(run("09:00", "09:04", run="odd"), id="it ended well"),
        pytest.param(run("09:00", "09:04", "failed", run="odd"), id="it failed"),
        pytest.param(run("09:00", run="odd"), id="it runs"),
        pytest.param(lost("09:00", "09:04", run="odd"), id="it is lost"),
    ],
)
def test_one_that_began_after_the_deadline_is_off_schedule(other):
    assert found([GOOD, other]) == {"odd": "off_schedule"}


def test_each_run_too_many_is_named():
    more = [run("03:10", "03:14", run="r2"), run("03:20", "03:24", run="r3"), run("09:00")]
    assert found([GOOD, *more]) == {"r2": "duplicate", "r3": "duplicate", "r1": "off_schedule"}


def test_a_duplicate_says_what_it_is_one_too_many_of():
    (odd,) = surplus(job(), DUE, [GOOD, run("03:10", run="odd")], None)
    assert odd == Finding(
        job="db-backup",
        kind=FindingKind.DUPLICATE,
        run="odd",
        at=at("03:10"),
        text="a run that started at 03:10:00 belongs to no slot:"
        " the one due at 03:00:00 had 1 good run by 03:04:00",
    )


def test_off_schedule_says_how_far_off_and_on_which_days():
    (odd,) = surplus(job(), DUE, [GOOD, run("2024-05-16T01:05:00", run="odd")], None)
    assert (odd.kind, odd.at) == (FindingKind.OFF_SCHEDULE, at("2024-05-16T01:05:00"))
    assert odd.text == (
        "a run that started at 2024-05-16 01:05:00 belongs to no slot: the one due at"
        " 2024-05-15 03:00:00 had 1 good run by 03:04:00, and its deadline was 21 h before"
    )


def test_times_are_those_of_the_job_s_zone():
    tokyo = job(timezone="Asia/Tokyo")
    (odd,) = surplus(tokyo, DUE, [GOOD, run("03:10", run="odd")], None)
    assert odd.text == (
        "a run that started at 12:10:00 belongs to no slot:"
        " the one due at 12:00:00 had 1 good run by 12:04:00"
    )


# ---- what is not odd ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([], id="no run"),
        pytest.param([GOOD], id="one run"),
        pytest.param([run("03:00", "03:04", "failed"), run("03:10", run="r2")], id="no good one"),
        pytest.param(
            [run("03:00", "03:04", "failed"), run("03:10", "03:14", run="r2")],
            id="failed, then good",
        ),
        pytest.param(
            [run("03:00", "03:04", "failed"), run("09:00", "09:04", run="r2")],
            id="failed, then good by hand",
        ),
        pytest.param(
            [*(run(f"03:{n}0", f"03:{n}4", "failed", run=f"r{n}") for n in range(4)), run("09:00")],
            id="failed four times, and once more",
        ),
        pytest.param(
            [run("03:00", "09:30", "failed"), run("09:00", "09:04", run="r2")],
            id="a try that failed only after the good one had ended",
        ),
        pytest.param(
            [lost("03:00", "03:04"), run("03:10", "03:14", run="r2")], id="lost, then good"
        ),
        pytest.param([run("03:00"), run("03:10", "03:14", run="r2")], id="hangs, then good"),
    ],
)
def test_a_run_that_makes_up_for_a_bad_one_is_not_odd(runs):
    assert found(runs) == {}


PICKY = job(
    expect=("metric.rows >= 1",), artifacts=(ArtifactRule(path="/backups/db.gz", min_size=9.0),)
)
MADE = Artifact(rule="/backups/db.gz", found="/backups/db.gz", size=10)


def picky(started, ended, name, rows=1, artifacts=(MADE,)):
    return run(started, ended, run=name, metrics={"rows": rows}, artifacts=artifacts)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(picky("03:00", "03:04", "bad", rows=0), id="unmet"),
        pytest.param(
            picky("03:00", "03:04", "bad", artifacts=(Artifact(rule="/backups/db.gz"),)),
            id="artifact",
        ),
        pytest.param(picky("03:00", "03:04", "bad", artifacts=()), id="not measured yet"),
    ],
)
def test_nor_is_one_after_a_run_that_ended_with_success_and_was_not_good(first):
    assert found([first, picky("03:10", "03:14", "good")], PICKY) == {}


def test_once_both_are_measured_and_good_one_is_too_many():
    runs = [picky("03:00", "03:04", "first"), picky("03:10", "03:14", "second")]
    assert found(runs, PICKY) == {"second": "duplicate"}


def test_a_run_that_was_not_owed_is_never_one_too_many():
    runs = [GOOD, run("03:10", "03:14", run="r2")]
    assert found(runs, due=slot("03:00", owed=False)) == {}


@pytest.mark.parametrize(
    ("since", "until", "kind"),
    [
        pytest.param("01:00", "05:10", None, id="it may have been in time"),
        pytest.param(
            "04:10", "05:10", None, id="it ended after the deadline, and may have begun before"
        ),
        pytest.param("03:50", "04:00", "duplicate", id="it began in time at the latest"),
        pytest.param("03:50", "04:05", "duplicate", id="with the deadline at the latest"),
    ],
)
def test_a_run_of_which_nobody_knows_when_it_was_gets_the_benefit_of_the_interval(
    since, until, kind
):
    assert found([GOOD, untimed(since, until, run="odd")]).get("odd") == kind


@pytest.mark.parametrize("status", ["success", "failed"])
def test_a_run_of_which_its_end_alone_is_known_counts_from_that(status):
    assert found([GOOD, run(None, "09:04", status, run="odd")]) == {"odd": "off_schedule"}


def test_within_the_window_it_does():
    assert found([GOOD, run(None, "03:14", run="odd")]) == {"odd": "duplicate"}


# ---- slots that expect several runs -------------------------------------------------------------

TWICE = slot("03:00", starts=2)


@pytest.mark.parametrize(
    ("more", "odd"),
    [
        pytest.param([], {}, id="one of two"),
        pytest.param([run("03:00", "03:05", run="r2")], {}, id="both"),
        pytest.param([run("03:00", "03:05", "failed", run="r2")], {}, id="one failed"),
        pytest.param(
            [run("03:00", "03:05", "failed", run="r2"), run("09:00", "09:01", run="r3")],
            {},
            id="one failed, and was made up for",
        ),
        pytest.param(
            [run("03:02", "03:05", "failed", run="r2"), run("03:10", "03:14", run="r3")],
            {},
            id="a try before the last of them",
        ),
        pytest.param(
            [run("03:00", "03:05", run="r2"), run("03:10", "03:14", run="r3")],
            {"r3": "duplicate"},
            id="one more",
        ),
        pytest.param(
            [run("03:00", "03:05", run="r2"), run("09:00", run="r3")],
            {"r3": "off_schedule"},
            id="one more, after the deadline",
        ),
    ],
)
def test_as_many_are_no_more_than_cron_starts(more, odd):
    assert found([GOOD, *more], due=TWICE) == odd


def test_and_says_how_many_there_were():
    runs = [GOOD, run("03:00", "03:05", run="r2"), run("03:10", run="r3")]
    (odd,) = surplus(job(), TWICE, runs, None)
    assert odd.text.endswith("the one due at 03:00:00 had 2 good runs by 03:05:00")


# ---- the repeated hour --------------------------------------------------------------------------

# Europe/Berlin   2024-10-27T01:00Z   03:00+02:00 → 02:00+01:00
BERLIN = job(timezone="Europe/Berlin", schedule="30 2 * * *", max_duration_s=600.0)
NIGHT = slot("2024-10-27T02:30:00+02:00", BERLIN)
IN_TIME = run("2024-10-27T00:30:01Z", "2024-10-27T00:31:00Z", run="good")


@pytest.mark.parametrize(
    ("start", "odd"),
    [
        pytest.param("2024-10-27T01:30:01Z", {}, id="a second late"),
        pytest.param("2024-10-27T01:29:00Z", {}, id="a minute early"),
        pytest.param("2024-10-27T01:31:00Z", {}, id="a minute late"),
        pytest.param("2024-10-27T01:28:59Z", {"again": "off_schedule"}, id="earlier than that"),
        pytest.param("2024-10-27T01:31:01Z", {"again": "off_schedule"}, id="later than that"),
    ],
)
@pytest.mark.parametrize("ends", ["2024-10-27T01:40:00Z", None], ids=["it ended", "it runs"])
def test_a_cron_that_was_restarted_in_it_may_run_the_job_again(start, ends, odd):
    second_pass = parse(BERLIN.schedule, BERLIN.timezone).second_pass(NIGHT.at)
    assert second_pass == at("2024-10-27T01:30:00Z")
    runs = [IN_TIME, run(start, ends, run="again")]
    assert found(runs, BERLIN, NIGHT, second_pass) == odd


def test_on_any_other_night_it_may_not():
    second_pass = parse(BERLIN.schedule, BERLIN.timezone).second_pass(at("2024-10-28T01:30:00Z"))
    assert second_pass is None


# ---- overlap ------------------------------------------------------------------------------------


def overlapped(runs):
    """Give, by the id of each run that is named, when it began."""
    return {finding.run: finding.at for finding in overlaps(job(), runs)}


LONG = run("03:00", "04:00", run="long")


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(LONG, id="it ended later"),
        pytest.param(run("03:00", run="long"), id="it still runs"),
        pytest.param(run("03:00", "04:00", "failed", run="long"), id="it failed later"),
        pytest.param(run("03:30", "04:00", run="long"), id="it began at the same instant"),
    ],
)
@pytest.mark.parametrize(
    "second",
    [
        pytest.param(run("03:30", "03:40"), id="well"),
        pytest.param(run("03:30", "05:00", "failed"), id="badly"),
        pytest.param(run("03:30"), id="not yet"),
        pytest.param(lost("03:30", "03:31"), id="never"),
    ],
)
def test_a_run_that_began_before_the_last_one_had_ended_is_named(first, second):
    assert overlapped([first, second]) == {"r1": at("03:30")}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(run("03:00", "03:30", run="r0"), id="it had just ended"),
        pytest.param(run("03:00", "03:10", run="r0"), id="it had ended"),
        pytest.param(lost("03:00", "05:00", run="r0"), id="it is lost: it may have ended before"),
        pytest.param(untimed("03:00", "04:00", run="r0"), id="nobody knows when it was"),
        pytest.param(
            untimed("03:00", "04:00", started_at=at("03:00"), run="r0"),
            id="nobody knows when it ended",
        ),
        pytest.param(run(None, "03:40", run="r0"), id="nobody knows when it began"),
    ],
)
def test_else_it_is_not(first):
    assert "r1" not in overlapped([first, run("03:30", "03:50")])


@pytest.mark.parametrize("since", ["01:10", "03:00"])
def test_of_a_run_of_which_nobody_knows_when_it_was_nobody_says_that_it_overlaps(since):
    """Its line was written up to 03:30, when the other one ran, and perhaps long before that."""
    assert overlapped([LONG, untimed(since, "03:30")]) == {}


def test_an_overlap_says_since_when_the_other_one_ran():
    (odd,) = overlaps(job(), [run("03:30", "03:40"), LONG])
    assert odd == Finding(
        job="db-backup",
        kind=FindingKind.OVERLAP,
        run="r1",
        at=at("03:30"),
        text="a run began at 03:30:00 while the one of 03:00:00 was still running,"
        " 30 min after its start",
    )


def test_of_several_that_ran_the_newest_is_named():
    runs = [LONG, run("03:10", "03:50", run="r2"), run("03:20", "03:21", run="r3"), run("03:30")]
    texts = {finding.run: finding.text for finding in overlaps(job(), runs)}
    assert texts.keys() == {"r1", "r2", "r3"}
    assert "while the one of 03:10:00 was still running, 20 min after its start" in texts["r1"]


def test_an_overlap_shows_the_wall_of_the_job_s_zone_and_the_day_of_the_other():
    tokyo = job(timezone="Asia/Tokyo")
    (odd,) = overlaps(tokyo, [run("2024-05-14T14:59:00Z", run="r0"), run("2024-05-14T15:01:00Z")])
    assert odd.text == (
        "a run began at 00:01:00 while the one of 2024-05-14 23:59:00 was still running,"
        " 2 min after its start"
    )


@pytest.mark.parametrize("runs", [[], [LONG], [run("03:00")]], ids=["none", "one", "one open"])
def test_one_alone_overlaps_with_nothing(runs):
    assert overlapped(runs) == {}


# ---- unregistered -------------------------------------------------------------------------------


def test_a_job_that_nobody_has_configured_is_named_with_its_file_and_user():
    told = unregistered(run("03:00", user="alice"), "/var/lib/cronverifyd/alice.jsonl")
    assert told == Finding(
        job="db-backup",
        kind=FindingKind.UNREGISTERED,
        run="r1",
        at=at("03:00"),
        text="/var/lib/cronverifyd/alice.jsonl tells of runs of db-backup,"
        ' by "alice", and no job of that name is configured',
    )


def test_without_a_user_where_none_is_known():
    told = unregistered(run(None, "03:04"), "/o.jsonl")
    assert (told.at, told.text) == (
        at("03:04"),
        "/o.jsonl tells of runs of db-backup, and no job of that name is configured",
    )


def test_a_hostile_user_is_one_short_word():
    text = unregistered(run("03:00", user="x\n@channel " * 50), "/o.jsonl").text
    assert "\n" not in text
    assert len(text) < 150


# ---- whatever ran -------------------------------------------------------------------------------

# Few instants, so that many of them are the same.
INSTANTS = st.integers(0, 24).map(lambda tenth: at("02:30") + minutes(10 * tenth))


@st.composite
def some_run(draw):
    start = draw(st.none() | INSTANTS)
    end = draw(INSTANTS if start is None else st.none() | INSTANTS)
    name = f"r{draw(st.integers(0, 10**6))}"
    if end is None and draw(st.booleans()):
        return lost(start.isoformat(), start.isoformat(), run=name)
    return run(
        None,
        None,
        draw(st.sampled_from(["success", "failed"])) if end else None,
        run=name,
        started_at=start,
        ended_at=end,
        untimed_since=draw(st.none() | st.just(end - minutes(7))) if end else None,
    )


some_runs = st.lists(some_run(), max_size=4, unique_by=lambda each: each.run)
slots = st.integers(1, 2).map(lambda starts: slot("03:00", starts=starts))


@given(slots, some_runs, st.none() | INSTANTS)
def test_the_order_in_which_runs_came_to_light_does_not_matter(due, runs, second_pass):
    first = list(surplus(job(), due, runs, second_pass))
    assert all(
        list(surplus(job(), due, order, second_pass)) == first for order in permutations(runs)
    )
    first = list(overlaps(job(), runs))
    assert all(list(overlaps(job(), order)) == first for order in permutations(runs))


@given(slots, some_runs, st.none() | INSTANTS)
def test_of_the_good_runs_of_a_slot_as_many_are_odd_as_are_too_many(due, runs, second_pass):
    """Apart from those that are excused; and no bad one that began before the good ones."""
    named = found(runs, due=due, second_pass=second_pass).keys()
    good = [each for each in runs if is_good(job(), each)]
    odd = [each for each in good if each.run in named]
    excused = [each for each in good if each.run not in named and _is_excused(each, second_pass)]
    too_many = max(0, len(good) - due.starts)
    assert len(odd) <= too_many <= len(odd) + len(excused)
    for each in runs:
        if each.run in named and each not in good:
            assert sum(start_of(other) < start_of(each) for other in good) >= due.starts


def _is_excused(run_too_many, second_pass):
    start = start_of(run_too_many)
    is_repeated = second_pass is not None and abs(start - second_pass) <= seconds(60)
    return is_repeated or (run_too_many.untimed_since is not None and start > DUE.deadline)


@given(some_runs)
def test_a_run_overlaps_if_and_only_if_another_was_going_on_when_it_began(runs):
    """Of two that began at the same instant, the second by name."""
    known = [each for each in runs if each.started_at is not None]
    expected = {
        each.run
        for each in known
        for other in known
        if each.untimed_since is None
        and (other.started_at, other.run) < (each.started_at, each.run)
        and other.loss is None
        and other.untimed_since is None
        and (other.ended_at is None or other.ended_at > each.started_at)
    }
    assert {finding.run for finding in overlaps(job(), known)} == expected
