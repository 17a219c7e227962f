"""Outcomes of a job that somebody else has written: kept, shown, told once, and never heeded."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.builders import finished, job, line, started
from tests.engine.world import kinds

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TESTED: only root can give files to other users"
)

ALICE, MALLORY = 54321, 54322
HERS = job(user="alice", user_uid=ALICE)


@pytest.fixture
def folder():
    """A folder of root's that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def file(folder):
    """Give each user a file of their own."""

    def make(owner, name=None):
        path = folder / f"{name or owner}.jsonl"
        path.touch(0o600)
        os.chown(path, owner, owner)
        return path

    return make


@pytest.fixture
def build(make, folder):
    return lambda *jobs, **options: make(*jobs, outcomes=[str(folder / "*.jsonl")], **options)


def spoofed(world):
    return world.rows("SELECT run, writer_uid FROM run WHERE spoofed = 1 ORDER BY run")


@pytest.mark.parametrize("owner", [ALICE, 0], ids=["the user's", "root's"])
def test_the_user_s_and_root_s_count(build, file, owner):
    world = build(HERS)
    world.write(finished("03:04"), path=file(owner))
    assert world.look_only("03:05") == []
    assert world.verdict("03:00") == "ok"
    assert world.rows("SELECT spoofed, writer_uid FROM run") == [(0, owner)]


def test_somebody_else_s_success_hides_no_miss(build, file):
    world = build(HERS)
    world.write(finished("03:04"), path=file(MALLORY))
    (told,) = world.look_only("03:05")
    assert (str(told.kind), str(told.severity)) == ("finding", "warning")
    assert told.title == "somebody else has written outcomes of db-backup; they do not count"
    assert f'belongs to "user {MALLORY}"; only what "alice" or root has written' in told.text
    assert world.verdict("03:00") is None
    assert kinds(world.look_only("04:05")) == ["opened"]
    assert world.verdict("03:00") == "missed"
    assert spoofed(world) == [(f"~{MALLORY}.r1", MALLORY)]


def test_somebody_else_s_failure_opens_nothing(build, file):
    world = build(HERS)
    world.write(finished("03:04"), path=file(ALICE))
    world.write(finished("03:05", "failed", run_id="r2"), path=file(MALLORY))
    assert kinds(world.look_only("03:06")) == ["finding"]
    assert world.verdict("03:00") == "ok"


def test_a_run_of_the_user_s_cannot_be_ended_by_somebody_else(build, file):
    world = build(HERS)
    world.write(started("03:00:01"), path=file(ALICE))
    world.look_only("03:00:02")
    world.write(finished("03:01"), line(status="success", at="03:02"), path=file(MALLORY))
    world.look_only("03:02")
    assert world.verdict("03:00") == "pending"
    world.write(finished("03:04", "failed"), path=file(ALICE))
    assert kinds(world.look_only("03:05")) == ["opened"]


def test_nor_one_that_has_no_name(build, file):
    world = build(HERS)
    world.write(line(status="running", at="03:00:01"), path=file(ALICE))
    world.look_only("03:00:02")
    world.write(line(status="success", at="03:01"), path=file(MALLORY))
    world.look_only("03:02")
    assert world.verdict("03:00") == "pending"


def test_a_process_that_somebody_else_made_up_is_not_looked_for(build, file):
    world = build(HERS)
    world.write(started("03:00:01", pid=1, boot="boot-1"), path=file(MALLORY))
    world.look_only("03:00:02")
    assert world.store.alive_runs() == []
    assert world.store.open_runs("db-backup") == []


def test_a_file_that_others_may_write_proves_nobody(build, file):
    world = build(HERS)
    path = file(ALICE)
    path.chmod(0o666)
    world.write(finished("03:04"), path=path)
    (told,) = world.look_only("03:05")
    assert "can be written by others as well" in told.text
    assert spoofed(world) == [("~anybody.r1", None)]


def test_a_job_without_a_user_takes_it_all(build, file):
    world = build(job())
    path = file(MALLORY)
    path.chmod(0o666)
    world.write(finished("03:04"), path=path)
    assert world.look_only("03:05") == []
    assert world.verdict("03:00") == "ok"


def test_it_is_told_once_and_again_after_a_week(build, file):
    world = build(HERS)
    path = file(MALLORY)
    told = []
    for day in range(15, 24):
        at = f"2024-05-{day}T03:05:00"
        world.write(finished(f"2024-05-{day}T03:04:00", run_id=f"r{day}"), path=file(ALICE))
        world.write(*(finished(at, run_id=f"x{day}-{n}") for n in range(3)), path=path)
        told += [(day, m.kind) for m in world.look_only(at)]
    assert told == [(15, "finding"), (22, "finding")]
    assert world.rows("SELECT count(*) FROM finding") == [(2,)]
    assert len(spoofed(world)) == 27


def test_it_is_shown_with_its_slot_after_those_that_count(build, file):
    world = build(HERS)
    world.write(finished("03:04"), path=file(ALICE))
    world.write(finished("03:05", run_id="r2"), path=file(MALLORY))
    world.look_only("03:06")
    runs = world.store.newest_runs_of("db-backup", world.slot("03:00").slot.at)
    assert [(run.run, run.spoofed) for run in runs] == [("r1", False), (f"~{MALLORY}.r2", True)]
    assert [run.run for run in world.store.runs_of("db-backup", world.slot("03:00").slot.at)] == [
        "r1"
    ]


def test_a_disabled_job_s_are_marked_too(build, file):
    world = build(job(user="alice", user_uid=ALICE, enabled=False))
    world.write(finished("03:04"), path=file(MALLORY))
    world.look_only("03:06")
    assert spoofed(world) == [(f"~{MALLORY}.r1", MALLORY)]


def test_who_empties_a_file_of_their_own_hides_no_miss_of_another_s_job(build, file):
    """Neither of one that was heard of, nor of one that never was."""
    heard = job(name="heard", user="alice", user_uid=ALICE)
    world = build(heard, HERS)
    world.write(finished("00:05", job_name="heard"), path=file(ALICE))
    path = file(MALLORY)
    lines = [finished("00:05", job_name=name) for name in ("heard", "db-backup")]
    world.write(*lines, path=path)
    world.look_only("00:10")
    os.truncate(path, 0)
    world.look_only("03:30")
    assert sorted(kinds(world.look_only("04:05"))) == ["opened", "opened"]
    assert (world.verdict("03:00", "heard"), world.verdict("03:00")) == ("missed", "missed")


def test_so_it_is_while_nobody_looks(build, file):
    world = build(HERS)
    path = file(MALLORY)
    world.write(finished("00:05"), path=path)
    world.look_only("00:10")
    world.close()
    path.unlink()
    world.open(HERS, now="09:00")
    world.look_only("09:00")
    assert world.verdict("03:00") == "missed"
