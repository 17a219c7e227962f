"""What is kept comes back as it was."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cronverifyd.judge.incidents import closed
from cronverifyd.model import (
    Artifact,
    Judgment,
    Loss,
    Mark,
    Run,
    Slot,
    Tenure,
    TriggeredBy,
    Verdict,
)
from cronverifyd.store.instants import from_us, from_us_or_none, to_us, to_us_or_none
from tests.builders import at, incident, job, judged, run, slot

INSTANTS = st.datetimes(
    datetime(1938, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
COUNTS = st.integers(0, 2**63 - 1)
MEASURES = st.floats(0, 1e18)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = {
    "datetime | None": INSTANTS,
    "date | None": st.dates(date(1970, 1, 1), date(9998, 12, 31)),
    "str | None": TEXTS,
    "int | None": COUNTS,
    "float | None": MEASURES,
    "bool | None": st.booleans(),
    "bool": st.booleans(),
    "Mapping[str, float] | None": st.dictionaries(TEXTS, NUMBERS, min_size=1, max_size=3),
    "Loss | None": st.sampled_from(Loss),
}
ARTIFACTS = st.fixed_dictionaries(
    {"rule": TEXTS},
    optional={f.name: VALUES[f.type] for f in fields(Artifact) if f.name != "rule"},
).map(lambda told: Artifact(**told))
VALUES["tuple[Artifact, ...] | None"] = st.lists(ARTIFACTS, max_size=3).map(tuple)
RUNS = st.fixed_dictionaries(
    {"run": TEXTS},
    optional={f.name: VALUES[f.type] for f in fields(Run) if f.name not in {"run", "job"}},
).map(lambda told: Run(job="db-backup", **told))

relaxed = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(INSTANTS)
def test_an_instant_is_kept_to_the_microsecond(instant):
    assert from_us(to_us(instant)) == instant


def test_none_stays_none():
    assert to_us_or_none(None) is None
    assert from_us_or_none(None) is None
    assert from_us_or_none(to_us_or_none(at("03:00"))) == at("03:00")


@relaxed
@given(told=RUNS, slot_at=INSTANTS)
def test_a_run_comes_back_as_it_was(store, told, slot_at):
    with store.transaction():
        store.save_run(told, slot_at)
    assert store.run("db-backup", told.run) == (told, slot_at)
    assert (told in store.runs_of("db-backup", slot_at)) is not told.spoofed


def test_a_run_that_is_saved_again_is_changed_and_moved(store):
    store.save_run(run("03:00"), at("03:00"))
    store.save_run(run("02:58", "03:04"), at("02:00"))
    assert store.runs_of("db-backup", at("03:00")) == []
    assert store.runs_of("db-backup", at("02:00")) == [run("02:58", "03:04")]


def test_two_jobs_may_use_the_same_run_id(store):
    store.save_run(run("03:00"), at("03:00"))
    store.save_run(run("03:01", job="other"), at("03:00"))
    assert store.runs_of("db-backup", at("03:00")) == [run("03:00")]
    assert store.run("other", "r1") == (run("03:01", job="other"), at("03:00"))


def test_an_unknown_run_is_none(store):
    assert store.run("db-backup", "r1") is None


def test_the_newest_open_run_without_an_id_is_found(store):
    assert store.open_run_without_id("db-backup") is None
    for name, start, end in [
        ("~1", "03:00", None),
        ("~2", "03:10", None),
        ("~3", "03:20", "03:21"),
        ("named", "03:30", None),
    ]:
        store.save_run(run(start, end, run=name), at("03:00"))
    store.save_run(run("03:40", run="~9", job="other"), at("03:00"))
    assert store.open_run_without_id("db-backup") == "~2"


@pytest.mark.parametrize("offset_s", [0, 7200, -18_000, 1172], ids=["Z", "+2h", "-5h", "odd"])
def test_a_slot_comes_back_with_its_offset(store, offset_s):
    zone = timezone(timedelta(seconds=offset_s))
    due = at("03:00").astimezone(zone)
    whole = judged(
        "03:00",
        "failed",
        slot=Slot(job="db-backup", at=due, deadline=due + timedelta(hours=1), owed=False, starts=3),
        judgment=Judgment(verdict=Verdict.FAILED, reason="because", until=at("04:00"), run="r1"),
        found_late=True,
        triggered_by=TriggeredBy.CUEAPI,
        incident="i1",
        quiet=True,
    )
    store.save_slot(whole)
    found = store.slot("db-backup", due)
    assert found == whole
    assert (
        found.slot.at.utcoffset() == found.slot.deadline.utcoffset() == timedelta(seconds=offset_s)
    )


def test_a_slot_that_was_never_judged_is_none(store):
    assert store.slot("db-backup", at("03:00")) is None


def test_a_slot_has_one_judgment_the_last_one(store):
    store.save_slot(judged("03:00", "missed"))
    store.save_slot(judged("03:00", "ok"))
    assert store.slot("db-backup", at("03:00")) == judged("03:00", "ok")


def test_the_last_due_slot_is_the_newest_that_is_not_pending(store):
    assert store.last_due("db-backup") is None
    for text, verdict in [("01:00", "ok"), ("02:00", "missed"), ("03:00", "pending")]:
        store.save_slot(judged(text, verdict))
    assert store.last_due("db-backup") == judged("02:00", "missed")


def test_undecided_slots_come_in_the_order_of_their_instants(store):
    def undecided(text, until):
        waits = Judgment(verdict=Verdict.PENDING, reason="because", until=at(until))
        return judged(text, "pending", judgment=waits)

    store.save_slot(undecided("01:00", "05:00"))
    store.save_slot(undecided("02:00", "04:00"))
    store.save_slot(judged("03:00", "ok"))
    assert store.undecided() == [undecided("02:00", "04:00"), undecided("01:00", "05:00")]


def test_of_a_job_that_owes_nothing_any_more_nothing_is_expected(store):
    running = Judgment(verdict=Verdict.FAILED, reason="because", until=at("05:00"))
    store.save_slot(judged("01:00", "failed", judgment=running))
    store.save_slot(judged("02:00", "pending"))
    store.save_slot(judged("02:00", "pending", slot=slot("02:00", job(name="other"))))
    store.settle_slots("db-backup")
    assert store.undecided() == []
    assert store.slot("db-backup", at("01:00")).judgment == replace(running, until=None)
    assert store.slot("db-backup", at("02:00")) is None
    assert store.slot("other", at("02:00")) is not None


def test_a_slot_can_be_forgotten(store):
    store.save_slot(judged("03:00", "ok"))
    store.drop_slot("db-backup", at("03:00"))
    assert store.slot("db-backup", at("03:00")) is None


def test_an_incident_comes_back_and_is_open_until_it_is_closed(store):
    opened = incident("03:00", "04:05")
    store.save_incident(opened)
    assert store.open_incidents() == {"db-backup": opened}
    worse = replace(opened, announced=True, slots=2, first_slot=at("02:00"))
    store.save_incident(worse)
    assert store.open_incidents() == {"db-backup": worse}
    store.save_incident(closed(worse, "healed", at("05:00")))
    assert store.open_incidents() == {}


def test_a_tenure_comes_back(store):
    tenure = Tenure(
        job="db-backup",
        schedule="0 3 * * *",
        timezone="Europe/Paris",
        owed_since=at("01:00"),
        cursor=at("03:00"),
        active=False,
    )
    store.save_tenure(replace(tenure, active=True))
    store.save_tenure(tenure)
    assert store.tenures() == {"db-backup": tenure}


# ---- outcome files ------------------------------------------------------------------------------

MARK = Mark(path="/o.jsonl", device=1, inode=2, looked_at=at("03:00"), position=9, probe=b"\0p")


def test_a_new_file_gets_a_number_and_keeps_it(store):
    kept = store.save_mark(MARK)
    assert kept.file_id is not None
    moved = replace(kept, path="/o.jsonl.1", position=20, probe=b"q", looked_at=at("04:00"))
    assert store.save_mark(moved) == moved
    assert store.marks() == [moved]


@pytest.mark.parametrize("over", [False, True])
def test_a_file_that_was_let_go_is_marked_so(store, over):
    kept = store.save_mark(replace(MARK, over=over))
    assert store.marks() == [kept]
    assert kept.over is over
    store.save_mark(replace(kept, over=not over))
    assert store.marks() == [replace(kept, over=not over)]


def test_a_file_in_a_reused_inode_takes_the_place_of_the_old_one_with_a_new_number(store):
    old = store.save_mark(MARK)
    new = store.save_mark(replace(MARK, position=3))
    assert store.marks() == [new]
    assert new.file_id > old.file_id


def test_a_number_is_never_used_again(store):
    old = store.save_mark(MARK)
    store._db.execute("DELETE FROM file")
    assert store.save_mark(MARK).file_id > old.file_id


def test_rejected_lines_are_counted_and_the_first_of_a_file_are_told(store):
    first, second = store.save_mark(MARK), store.save_mark(replace(MARK, inode=3))
    assert store.count_rejected(first.file_id, 2) is True
    assert store.count_rejected(first.file_id, 3) is False
    assert store.count_rejected(second.file_id, 1) is True
    assert store._db.execute("SELECT count FROM counter").fetchone()[0] == 6


# ---- executions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "answer"),
    [
        pytest.param("02:59", "first", id="seen since"),
        pytest.param("03:00", "first", id="seen just then"),
        pytest.param("03:00:00.000001", None, id="seen before"),
    ],
)
def test_the_first_answer_is_kept(store, since, answer):
    store.save_execution("e1", "first", at("03:00"))
    assert store.execution_answer("e1", at(since)) == answer
    assert store.execution_answer("e2", at(since)) is None


def test_an_old_answer_is_forgotten(store):
    store.save_execution("e1", "first", at("03:00"))
    store.save_execution("e2", "second", at("04:00"))
    assert store.execution_answer("e1", at("00:00")) == "first"
    store.save_execution("e3", "third", at("04:00:00.000001"))
    assert store.execution_answer("e1", at("00:00")) is None
