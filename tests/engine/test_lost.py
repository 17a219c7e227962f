"""Runs whose end will never be recorded are told at once, not at the deadline."""

import pytest

from cronverifyd.model import Loss
from tests.builders import finished, job, started
from tests.engine.world import kinds

FACTS = {"host": "web1", "boot": "boot-1", "pid": 4242, "pid_start": 77, "wrapper_pid": 4241}


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        pytest.param(Loss.GONE, "its process 4242 is gone", id="gone"),
        pytest.param(
            Loss.ORPHANED,
            "seen at 03:10:00, when the job itself still ran as process 4242",
            id="orphaned",
        ),
        pytest.param(Loss.REBOOTED, "the host was rebooted at 2024-05-01 00:00:00", id="rebooted"),
    ],
)
def test_it_is_told_at_the_next_look(world, loss, words):
    assert world.look("03:00:05", started("03:00:01", **FACTS)) == []
    world.host.losses["r1"] = loss
    (told,) = world.look("03:10")
    assert (str(told.kind), str(told.verdict)) == ("opened", "interrupted")
    assert told.reason.startswith("started at 03:00:01, and its end will never be recorded: ")
    assert words in told.reason
    assert world.verdict("03:00") == "interrupted"


def test_an_end_that_stands_in_the_file_by_then_counts(world):
    """The wrapper writes before it exits, so the file is read after its process was looked for."""
    world.look("03:00:05", started("03:00:01", **FACTS))
    world.host.losses["r1"] = Loss.GONE
    assert world.look("03:10", finished("03:09:59")) == []
    assert world.verdict("03:00") == "ok"
    assert world.look("03:15") == []


def test_an_end_that_comes_after_all_heals_it(world):
    world.look("03:00:05", started("03:00:01", **FACTS))
    world.host.losses["r1"] = Loss.GONE
    world.look("03:10")
    (told,) = world.look("03:20", finished("03:19"))
    assert str(told.kind) == "recovered"
    run, _ = world.store.run("db-backup", "r1")
    assert (run.lost_at, run.loss) == (None, None)


def test_a_run_by_hand_makes_it_good(world):
    world.look("03:00:05", started("03:00:01", **FACTS))
    world.host.losses["r1"] = Loss.GONE
    world.look("03:10")
    assert kinds(world.look("03:30", finished("03:30", run_id="r2", started_at="03:20"))) == [
        "recovered"
    ]
    assert world.verdict("03:00") == "ok"


def test_another_program_has_some_seconds_to_write_its_line(world):
    """Only our wrapper is known to write before it exits."""
    world.look("03:00:05", started("03:00:01", **FACTS | {"wrapper_pid": None}))
    world.host.losses["r1"] = Loss.GONE
    assert world.look("03:10:00") == []
    assert world.look("03:10:09") == []
    assert kinds(world.look("03:10:10")) == ["opened"]


def test_a_run_without_a_process_is_waited_for_until_its_deadline(world):
    world.look("03:00:05", started("03:00:01"))
    world.host.losses["r1"] = Loss.GONE
    assert world.look("03:10") == []
    (told,) = world.look("04:05:01")
    assert str(told.verdict) == "overrun"


def test_it_is_told_once_whatever_happens_afterwards(world):
    world.look("03:00:05", started("03:00:01", **FACTS))
    world.host.losses["r1"] = Loss.GONE
    assert kinds(world.look("03:10")) == ["opened"]
    assert world.look("04:05") == []
    assert world.look("05:00") == []
    world.reopen(now="06:00")
    assert world.look("06:00") == []
    assert world.incident().slots == 1


def test_it_is_in_the_journal_for_no_outcome_file_says_it(world):
    world.look("03:00:05", started("03:00:01", **FACTS))
    world.host.losses["r1"] = Loss.GONE
    world.look("03:10")
    (note,) = [each for each in world.journal() if each["kind"] == "lost"]
    assert (note["job"], note["run"], note["loss"]) == ("db-backup", "r1", "gone")


def test_a_run_of_a_job_that_nobody_watches_is_lost_without_a_word(make):
    world = make(job(), job(name="off", enabled=False))
    world.look("03:00:05", started("03:00:01", job_name="off", **FACTS))
    world.host.losses["r1"] = Loss.GONE
    assert world.look("03:10") == []
    assert world.store.run("off", "r1")[0].loss is Loss.GONE


def test_what_started_and_was_killed_while_nobody_looked_is_no_overrun(world):
    """Its start is read after its deadline; its process is looked for before that is judged."""
    world.look("02:00", finished("02:00", run_id="r0"))
    world.write(started("03:00:01", **FACTS))
    world.host.losses["r1"] = Loss.GONE
    (told,) = world.look("09:00")
    assert (str(told.verdict), told.found_late) == ("interrupted", False)
