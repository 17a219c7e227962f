"""Closing and opening the engine at any moment makes no difference to what it concludes."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.model import Look, TriggeredBy
from tests.builders import at, finished, job, seconds, started
from tests.engine.world import World

JOBS = (
    job(name="a", schedule="*/10 * * * *", max_duration_s=240.0, grace_s=60.0),
    job(name="b", schedule="every 7m", max_duration_s=120.0, grace_s=30.0, start_within_s=60.0),
)
NAMES = st.sampled_from(["a", "b", "unknown"])
IDS = st.sampled_from(["r1", "r2", "r3", "r4", "r5", "r6"])
AGO = st.integers(0, 900)
STEPS = st.one_of(
    st.tuples(st.just("start"), NAMES, IDS, AGO),
    st.tuples(st.just("finish"), NAMES, IDS, AGO, st.sampled_from(["success", "failed"])),
    st.tuples(st.just("reject")),
    st.tuples(st.just("pass"), st.integers(1, 1_200)),
    st.tuples(st.just("rotate")),
)


def play(program, restarts):
    """Play a program, a look after each step; give what the database holds in the end."""
    folder = Path(tempfile.mkdtemp())
    world = World(folder, *JOBS, now="00:00")
    now = at("00:05")
    try:
        for number, step in enumerate(program):
            now = do(world, now, *step)
            world.look(now.isoformat())
            if number in restarts:
                world.reopen(now=now.isoformat())
        return world.digest()
    finally:
        world.close()
        shutil.rmtree(folder)


def do(world, now, name, *arguments):
    if name == "pass":
        return now + seconds(arguments[0])
    if name == "rotate":
        if world.path.exists():
            world.path.rename(world.path.with_name(f"outcomes.jsonl.{now.timestamp():.0f}"))
    elif name == "reject":
        world.write(b"nonsense\n")
    else:
        job_name, run_id, ago, *status = arguments
        when = (now - seconds(ago)).isoformat()
        write = started if name == "start" else finished
        world.write(write(when, *status, run_id=run_id, job_name=job_name))
    return now + seconds(1)


PROGRAMS = st.lists(STEPS, min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(program=PROGRAMS, restarts=st.sets(st.integers(0, 11), min_size=1))
def test_a_restart_at_any_moment_makes_no_difference(program, restarts):
    assert play(program, restarts) == play(program, set())


@settings(max_examples=30, deadline=None)
@given(program=PROGRAMS)
def test_a_second_look_at_the_same_instant_makes_no_difference(program):
    folder = Path(tempfile.mkdtemp())
    world = World(folder, *JOBS, now="00:00")
    now = at("00:05")
    try:
        for step in program:
            now = do(world, now, *step)
        world.look(now.isoformat())
        before = world.digest()
        world.engine.handle(Look(triggered_by=TriggeredBy.TIMER), now)
        assert world.handed == []
        assert world.digest() == before
    finally:
        world.close()
        shutil.rmtree(folder)
