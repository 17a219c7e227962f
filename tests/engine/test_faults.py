"""A database that fails at any point of a unit of work: the next turn makes up for it."""

import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.model import Look, TriggeredBy
from tests.builders import at, finished, job, line, started
from tests.engine.world import World

JOBS = (job(start_within_s=120.0), job(name="other", schedule="*/30 * * * *", max_duration_s=600.0))
STORY = (
    ("03:00:05", [started("03:00:01"), started("03:00:02", "o1", "other")]),
    ("03:05:00", [finished("03:04", "failed"), b"nonsense\n", line("unknown", status="success")]),
    ("03:30:10", [line("other", status="success"), finished("03:09", "success", "o1", "other")]),
    ("04:15:00", []),
    (
        "04:30:30",
        [finished("04:30", "success", "r2"), finished("04:30:02", "success", "o2", "other")],
    ),
)


def play(faults):
    """Play the story, with a database that breaks off in each turn after so many steps.

    Gives what the database holds in the end, and how often each message was handed over.
    """
    folder = Path(tempfile.mkdtemp())
    world = World(folder, *JOBS, now="02:45")
    handed = []
    try:
        for (now, lines), steps in zip(STORY, faults, strict=True):
            world.write(*lines)
            if steps is not None:
                break_off(world, now, steps)
            while told := look(world, now):
                handed += told
        return world.digest(), sorted(handed)
    finally:
        world.close()
        shutil.rmtree(folder)


def look(world, now):
    """Look until there is nothing more to do; give the ids of what was handed over and sent."""
    world.engine.handle(Look(triggered_by=TriggeredBy.TIMER), at(now))
    return [message.id for message in world.deliver(now)]


def break_off(world, now, steps):
    """Take a turn in which SQLite, after so many steps, interrupts whatever but a ROLLBACK."""
    database, left, statements = world.store._db, [steps], [""]

    def interrupts():
        left[0] -= 1
        return left[0] < 0 and statements[-1] != "ROLLBACK"

    database.set_trace_callback(statements.append)
    database.set_progress_handler(interrupts, 20)
    with suppress(sqlite3.OperationalError):
        world.engine.handle(Look(triggered_by=TriggeredBy.TIMER), at(now))
    database.set_progress_handler(None, 0)
    database.set_trace_callback(None)


NO_FAULTS = [None] * len(STORY)
FAULTS = st.lists(st.none() | st.integers(0, 120), min_size=len(STORY), max_size=len(STORY))


def test_the_story_without_a_fault():
    (slots, incidents, *_), handed = play(NO_FAULTS)
    assert [(row[0], row[5]) for row in slots] == [
        ("db-backup", "late"),
        *[("other", verdict) for verdict in ("ok", "missed", "missed", "ok")],
    ]
    told = [f"{row[0]}.{kind}" for row in incidents for kind in ("opened", "recovered")]
    assert handed == sorted(["rejected-1", "unregistered-unknown-~00000001.00000000011f", *told])


@settings(max_examples=40, deadline=None)
@given(FAULTS)
def test_a_fault_at_any_point_loses_nothing_and_doubles_nothing(faults):
    assert play(faults) == play(NO_FAULTS)
