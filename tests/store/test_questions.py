"""What the engine asks of its store, and what it lets it keep besides."""

from dataclasses import replace

import pytest

from cronverifyd.model import Artifact, Finding, FindingKind, Judgment, Loss, Tenure, Verdict
from tests.builders import at, hole, job, judged, lost, run, slot

MADE = (Artifact(rule="/b/*.gz", found="/b/1.gz", size=9, digest="d"),)
FACTS = {"pid": 42, "pid_start": 7, "boot": "b1"}


def ids(runs):
    return sorted(each.run for each in runs)


# ---- runs ---------------------------------------------------------------------------------------


def test_alive_are_the_open_runs_of_which_a_process_is_known(store):
    alive = run("03:00", run="alive", **FACTS)
    for each in (
        alive,
        run("03:00", "03:04", run="ended", **FACTS),
        lost("03:00", "03:04", run="lost", **FACTS),
        run("03:00", run="without a process"),
        run(None, "03:04", run="never started", **FACTS),
    ):
        store.save_run(each, at("02:00"))
    assert store.alive_runs() == [(alive, at("02:00"))]


def test_a_run_that_ends_or_is_lost_is_alive_no_more(store):
    alive = [run("03:00", run=name, **FACTS) for name in ("ends", "is lost")]
    for each in alive:
        store.save_run(each, at("03:00"))
    assert len(store.alive_runs()) == 2
    store.save_run(replace(alive[0], ended_at=at("03:04"), status="success"), at("03:00"))
    store.save_run(replace(alive[1], lost_at=at("03:04"), loss=Loss.GONE), at("03:00"))
    assert store.alive_runs() == []


def test_one_that_was_lost_and_has_ended_after_all_is_not(store):
    gone = lost("03:00", "03:04", **FACTS)
    store.save_run(gone, at("03:00"))
    healed = replace(gone, lost_at=None, loss=None, ended_at=at("03:05"), status="success")
    store.save_run(healed, at("03:00"))
    assert store.alive_runs() == []
    assert store.run("db-backup", "r1") == (healed, at("03:00"))


def test_unmeasured_are_the_runs_whose_artifacts_are_still_to_be_measured(store):
    waiting = run("03:00", "03:04", run="waits", artifacts=())
    for each in (
        waiting,
        run("03:00", "03:04", run="measured", artifacts=MADE),
        run("03:00", "03:04", run="without a rule"),
        run("03:00", run="running"),
    ):
        store.save_run(each, at("02:00"))
    assert store.unmeasured_runs() == [(waiting, at("02:00"))]
    store.save_run(replace(waiting, artifacts=MADE), at("02:00"))
    assert store.unmeasured_runs() == []


def test_open_are_the_runs_of_a_job_whose_end_may_still_come(store):
    running = run("03:00", run="running")
    for each in (
        running,
        run("03:00", "03:04", run="ended"),
        lost("03:00", "03:04", run="lost"),
        run("03:00", run="foreign", job="other"),
    ):
        store.save_run(each, at("03:00"))
    assert store.open_runs("db-backup") == [running]
    assert ids(store.open_runs("other")) == ["foreign"]
    assert store.open_runs("nobody") == []


def decided(store, text, verdict, *runs, by=None):
    """Keep a slot with its runs; `by` is the one that decided it."""
    judgment = Judgment(verdict=Verdict(verdict), reason="because", run=by or runs[0].run)
    store.save_slot(judged(text, verdict, judgment=judgment))
    for each in runs:
        store.save_run(each, at(text))


def measured(name, artifacts=MADE):
    return run("00:00", "00:01", run=name, artifacts=artifacts)


def test_measured_before_are_the_runs_that_made_the_newest_good_slots_good(store):
    decided(store, "00:00", "ok", measured("oldest"))
    decided(store, "01:00", "late", measured("older"))
    decided(store, "02:00", "artifact", measured("bad"))
    decided(store, "03:00", "ok", measured("newer"), measured("one too many"))
    decided(store, "04:00", "ok", measured("without a rule", None))
    decided(store, "05:00", "ok", measured("not measured", ()))
    decided(store, "06:00", "ok", measured("newest"))
    decided(store, "07:00", "ok", measured("this one"))

    def names(before, count=10):
        return [each.run for each in store.measured_before("db-backup", at(before), count)]

    assert names("07:00") == ["newest", "newer", "older", "oldest"]
    assert names("07:00", 2) == ["newest", "newer"]
    assert names("03:00") == ["older", "oldest"]
    assert names("00:00") == []
    assert store.measured_before("other", at("07:00"), 10) == []
    assert store.measured_before("db-backup", at("01:00"), 1) == [measured("oldest")]


def test_whether_a_later_run_has_ended_by_now(store):
    decided(store, "03:00", "ok", run("03:00", "03:04"))
    decided(store, "04:00", "pending", run("04:00", run="running"))
    assert store.ended_since("db-backup", at("02:59:59"))
    assert not store.ended_since("db-backup", at("03:00"))
    assert not store.ended_since("other", at("02:59:59"))
    store.save_run(run("04:00", "04:01", "failed", run="running"), at("04:00"))
    assert store.ended_since("db-backup", at("03:00"))
    assert not store.ended_since("db-backup", at("04:00"))


def test_the_runs_of_the_slots_from_one_to_another(store):
    for hour in range(1, 6):
        decided(store, f"0{hour}:00", "ok", run(f"0{hour}:00", run=f"r{hour}"))
    decided(store, "03:00", "ok", run("03:30", run="again"), by="r3")
    store.save_run(run("03:00", run="foreign", job="other"), at("03:00"))
    between = store.runs_between("db-backup", at("02:00"), at("04:00"))
    assert ids(between) == ["again", "r2", "r3", "r4"]
    assert run("03:30", run="again") in between
    assert ids(store.runs_between("db-backup", at("02:00:01"), at("02:59:59"))) == []
    assert ids(store.runs_between("other", at("02:00"), at("04:00"))) == []


# ---- slots --------------------------------------------------------------------------------------


def test_unknown_slots_of_all_jobs_come_oldest_first(store):
    other = judged("02:00", "unknown", slot=slot("02:00", job(name="other")))
    newer, older = judged("03:00", "unknown"), judged("01:00", "unknown")
    for each in (newer, other, older, judged("04:00", "missed")):
        store.save_slot(each)
    assert store.unknown_slots() == [older, other, newer]
    store.save_slot(judged("01:00", "ok"))
    assert store.unknown_slots() == [other, newer]


@pytest.mark.parametrize("verdict", Verdict)
def test_settled_at_an_instant_are_the_jobs_whose_slot_is_good_then(store, verdict):
    store.save_slot(judged("03:00", verdict))
    store.save_slot(judged("03:00", "ok", slot=slot("03:00", job(name="other"))))
    store.save_slot(judged("04:00", "ok", slot=slot("04:00", job(name="later"))))
    assert store.settled_at(at("03:00")) == {"other"} | ({"db-backup"} if verdict.good else set())
    assert store.settled_at(at("03:00:00.000001")) == set()


def test_a_slot_that_was_good_and_is_bad_after_all_is_not_settled(store):
    store.save_slot(judged("03:00", "ok"))
    store.save_slot(judged("03:00", "failed"))
    assert store.settled_at(at("03:00")) == set()


def test_an_instant_is_one_in_whatever_zone_a_slot_is_shown(store):
    tokyo = job(name="tokyo", timezone="Asia/Tokyo")
    due = slot("2024-05-15T12:00:00+09:00", tokyo)
    store.save_slot(judged("03:00", "late", slot=due))
    assert store.settled_at(at("03:00")) == store.settled_at(due.at) == {"tokyo"}


def test_cursors_are_moved_and_nothing_else(store):
    tenures = {
        name: Tenure(
            job=name,
            schedule="0 3 * * *",
            timezone="UTC",
            owed_since=at("01:00"),
            cursor=at("02:00"),
        )
        for name in ("a", "b", "c")
    }
    for each in tenures.values():
        store.save_tenure(each)
    store.move_cursors({"a": at("03:00"), "c": at("04:00"), "nobody": at("05:00")})
    assert store.tenures() == tenures | {
        "a": replace(tenures["a"], cursor=at("03:00")),
        "c": replace(tenures["c"], cursor=at("04:00")),
    }
    store.move_cursors({})
    assert store.tenures()["b"] == tenures["b"]


def test_a_slot_that_is_judged_again_may_leave_maintenance_and_join_an_incident(store):
    muted = judged("03:00", "failed", quiet=True)
    store.save_slot(muted)
    assert store.slot("db-backup", at("03:00")) == muted
    assert store.slots_that_count("db-backup", 9) == []
    told = replace(muted, quiet=False, incident="i1")
    store.save_slot(told)
    assert store.slots_that_count("db-backup", 9) == [told]


# ---- holes --------------------------------------------------------------------------------------


def test_a_hole_that_lasts_takes_the_place_of_the_one_before_of_its_file(store):
    other = hole("01:00", path="/p.jsonl")
    for each in (hole("01:00"), other, hole("02:00", reason="is a folder")):
        store.save_hole(each)
    assert store.holes(at("00:00")) == [other, hole("02:00", reason="is a folder")]


def test_holes_that_have_ended_all_stay(store):
    ended = [
        hole("01:00", "01:10"),
        hole("01:00", "01:10", reason="is gone"),
        hole("01:05", "02:00"),
    ]
    for each in ended:
        store.save_hole(each)
    assert store.holes(at("00:00")) == ended


def test_when_a_file_can_be_read_again_what_was_lost_of_it_stays_lost(store):
    lines_lost = hole("01:00", "01:10")
    for each in (lines_lost, hole("02:00"), hole("02:00", path="/p.jsonl")):
        store.save_hole(each)
    store.drop_hole("/o.jsonl")
    assert store.holes(at("00:00")) == [lines_lost, hole("02:00", path="/p.jsonl")]


# ---- findings -----------------------------------------------------------------------------------

ODD = Finding(
    job="db-backup", kind=FindingKind.DUPLICATE, run="r2", at=at("03:10"), text="one too many"
)


def test_a_finding_is_kept_once_as_it_was_first_seen(store):
    assert not store.has_finding(ODD)
    assert store.add_finding(ODD, at("03:11"))
    assert store.has_finding(ODD)
    again = replace(ODD, text="another text", at=at("03:12"))
    assert not store.add_finding(again, at("04:00"))
    assert store.has_finding(again)
    assert store.findings(at("00:00")) == [ODD]
    assert store.last_finding("db-backup", FindingKind.DUPLICATE) == at("03:11")


@pytest.mark.parametrize(
    "change",
    [{"run": "r3"}, {"kind": FindingKind.OVERLAP}, {"job": "other"}],
    ids=["another run", "another kind", "another job"],
)
def test_any_other_one_is_another(store, change):
    store.add_finding(ODD, at("03:11"))
    assert not store.has_finding(replace(ODD, **change))
    assert store.add_finding(replace(ODD, **change), at("03:11"))
    assert len(store.findings(at("00:00"))) == 2


def test_when_one_of_a_kind_was_last_noted_of_a_job(store):
    assert store.last_finding("db-backup", FindingKind.DUPLICATE) is None
    for number, when in enumerate(["03:11", "03:20", "03:15"]):
        store.add_finding(replace(ODD, run=f"r{number}"), at(when))
    store.add_finding(replace(ODD, kind=FindingKind.OVERLAP), at("03:30"))
    store.add_finding(replace(ODD, job="other"), at("03:40"))
    assert store.last_finding("db-backup", FindingKind.DUPLICATE) == at("03:20")
