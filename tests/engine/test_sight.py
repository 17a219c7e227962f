"""Silence must never mean that nobody could look: holes, `unknown` and the one incident of them."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders import finished, job, started
from tests.engine.world import kinds

_NOBODY = 65534


@pytest.fixture
def path():
    """Name an outcome file in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "outcomes.jsonl"


@pytest.fixture
def world(make, path):
    opened = make(outcomes=[str(path)])
    opened.path = path
    return opened


@contextmanager
def blinded(path):
    """Let a new file, which the daemon may not read, take the place of the one that it has open."""
    path.rename(path.with_suffix(".1"))
    path.touch()
    with unreadable(path):
        yield


@contextmanager
def unreadable(path):
    """Take the right to read a file away; root may read all, so be somebody else meanwhile."""
    path.chmod(0)
    os.seteuid(_NOBODY if os.geteuid() == 0 else os.geteuid())
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        path.chmod(0o600)


@pytest.fixture
def seen(world):
    """A job of which something was heard the day before."""
    world.look("00:10", finished("00:05", run_id="r0"))
    return world


def test_a_file_that_cannot_be_read_opens_one_incident(seen):
    with blinded(seen.path):
        (told,) = seen.look_only("02:00")
        assert (str(told.kind), str(told.severity)) == ("blind", "critical")
        assert told.title == "cannot see how db-backup did"
        assert "Permission denied" in told.text
        assert seen.look_only("02:30") == []


def test_its_slots_are_unknown_and_not_missed(seen):
    with blinded(seen.path):
        seen.look_only("02:00")
        assert seen.look_only("04:05") == []
        judged = seen.slot("03:00")
    assert str(judged.judgment.verdict) == "unknown"
    assert "nobody can see what was written since 00:10:00" in judged.judgment.reason
    assert seen.incident() is None


def test_when_it_can_be_read_again_what_was_written_is_judged(seen):
    with blinded(seen.path):
        seen.look_only("02:00")
        seen.look_only("04:05")
    assert kinds(seen.look("05:00", finished("03:04"))) == ["sighted"]
    assert seen.verdict("03:00") == "ok"
    assert seen.rows("SELECT * FROM hole") == []


def test_one_that_was_missed_indeed_is_found_late(seen):
    with blinded(seen.path):
        seen.look_only("02:00")
        seen.look_only("04:05")
    told = seen.look("05:00")
    assert sorted(kinds(told)) == ["opened", "sighted"]
    (missed,) = [m for m in told if m.kind == "opened"]
    assert (str(missed.verdict), missed.found_late) == ("missed", True)


def test_it_survives_a_restart(seen):
    with blinded(seen.path):
        seen.look_only("02:00")
        seen.close()
        os.seteuid(os.getuid())
        seen.open(*seen.jobs, now="03:30")
    with unreadable(seen.path):
        assert seen.look_only("03:30") == []
        assert seen.look_only("04:05") == []
    assert seen.verdict("03:00") == "unknown"


def test_what_nobody_could_write_to_hides_its_slots_for_good(seen):
    """A folder in the file's place: the wrapper could not append, so lines are lost."""
    aside = seen.path.with_suffix(".aside")
    seen.path.rename(aside)
    seen.path.mkdir()
    assert kinds(seen.look_only("02:00")) == ["blind"]
    seen.look_only("04:05")
    seen.path.rmdir()
    aside.rename(seen.path)
    assert "opened" not in kinds(seen.look("05:00"))
    assert seen.verdict("03:00") == "unknown"


def test_a_file_that_was_emptied_hides_the_slots_that_were_open(seen):
    seen.look("03:00:05", started("03:00:01"))
    seen.look("03:10")
    os.truncate(seen.path, 0)
    (told,) = seen.look("03:10:05")
    assert told.title == "cannot see how db-backup did"
    assert "was truncated from" in told.text
    assert seen.look("04:05:01") == []
    judged = seen.slot("03:00")
    assert str(judged.judgment.verdict) == "unknown"
    assert "between 03:10:00 and 03:10:05 may be lost" in judged.judgment.reason
    told = seen.look("2024-05-16T03:05:00", finished("2024-05-16T03:04:00", run_id="r2"))
    assert kinds(told) == ["sighted"]
    assert seen.verdict("03:00") == "unknown"


def test_a_run_whose_end_was_read_is_good_all_the_same(seen):
    seen.look("03:00:05", started("03:00:01"))
    os.truncate(seen.path, 0)
    assert kinds(seen.look("03:10:05")) == ["blind"]
    assert kinds(seen.look("03:20", finished("03:19"))) == ["sighted"]
    assert seen.verdict("03:00") == "ok"


def test_a_failure_that_was_read_stands(seen):
    seen.look("03:05", finished("03:04", "failed"))
    os.truncate(seen.path, 0)
    seen.look("03:10")
    seen.look("04:05")
    assert seen.verdict("03:00") == "failed"


def test_a_file_that_was_emptied_when_nothing_was_due_is_told_once(seen):
    seen.look("03:05", finished("03:04"))
    os.truncate(seen.path, 0)
    (told,) = seen.look("12:00")
    assert (str(told.kind), str(told.severity), told.incident) == ("blind", "warning", None)
    assert "no slot of a job is hidden by it" in told.text
    assert seen.store.open_incidents() == {}
    assert seen.look("12:05") == []


def test_a_file_that_was_removed_while_nobody_looked_hides_what_was_due_then(seen):
    seen.close()
    seen.path.unlink()
    seen.open(*seen.jobs, now="09:00")
    told = seen.look_only("09:00")
    assert kinds(told) == ["blind"]
    assert "removed" in told[0].text
    assert seen.verdict("03:00") == "unknown"
    seen.reopen(now="10:00")
    assert seen.look_only("10:00") == []


def test_a_file_that_never_existed_is_empty(world):
    assert kinds(world.look("04:05")) == ["opened"]
    assert world.verdict("03:00") == "missed"


def test_it_concerns_the_jobs_of_that_file_alone(make, tmp_path):
    second = tmp_path / "second.jsonl"
    world = make(job(), job(name="other"), outcomes=[str(tmp_path / "outcomes.jsonl"), str(second)])
    world.write(finished("00:05", run_id="r0", job_name="other"), path=second)
    world.look("00:10", finished("00:05", run_id="r0"))
    second.unlink()
    second.mkdir()
    (told,) = world.look("02:00")
    assert told.title == "cannot see how other did"
    told = world.look("04:05")
    assert [(m.job, str(m.verdict)) for m in told] == [("db-backup", "missed")]
    assert world.verdict("03:00", "other") == "unknown"


def test_unknown_neither_breaks_a_row_nor_closes_an_incident(seen):
    seen.look("03:05", finished("03:04", "failed"))
    with blinded(seen.path):
        seen.look_only("12:00")
        seen.look_only("2024-05-16T04:05:00")
    assert seen.verdict("2024-05-16T03:00:00") == "unknown"
    assert seen.incident().slots == 1


def test_it_is_in_the_journal_for_no_outcome_file_says_it(seen):
    with blinded(seen.path):
        seen.look_only("02:00")
    seen.look("02:05")
    kinds_noted = [note["kind"] for note in seen.journal()]
    assert [kind for kind in kinds_noted if kind in {"hole", "readable"}] == ["hole", "readable"]


def test_whoever_asks_is_told_that_a_job_cannot_be_seen(seen):
    with blinded(seen.path):
        seen.look_only("04:05")
        answer = seen.verify("04:06")
    assert [(bad.job, str(bad.verdict)) for bad in answer.details] == [("db-backup", "unknown")]
