"""A whole day of a job that runs every minute, under a cron that is never quite on time."""

import random
from datetime import timedelta

import pytest

from cronverifyd.model import Look, TriggeredBy
from tests.builders import at, job, line, seconds

A_DAY = 24 * 60
MIDNIGHT = at("00:00")


def starts(seed, minutes):
    """Give the instants at which cron starts the job: at once, or up to 14 s late."""
    chance = random.Random(seed)
    for minute in range(1, minutes + 1):
        late = chance.choice([0.0, 0.02, 0.9, 1.1, chance.uniform(0, 14.9)])
        yield MIDNIGHT + timedelta(minutes=minute, seconds=late), chance.uniform(0.01, 25)


def written(seed, minutes, *, named=True):
    """Give, in order, the lines that are written, and when."""
    found = []
    for number, (start, lasted_s) in enumerate(starts(seed, minutes)):
        end = start + seconds(lasted_s)
        run = {"run": f"r{number}"} if named else {}
        found.append((start, {"event": "start", "at": start.isoformat(), **run}))
        end_keys = {"event": "finish", "status": "success", "at": end.isoformat()}
        found.append((end, end_keys | run))
    return sorted(found, key=lambda each: each[0])


@pytest.mark.parametrize(
    ("minutes", "named"),
    [
        pytest.param(A_DAY, True, id="a day, with ids"),
        pytest.param(120, False, id="two hours, without ids"),
    ],
)
def test_nobody_is_told_and_each_slot_gets_its_run(make, minutes, named):
    """The daemon looks as it does: soon after a line, at each deadline, and at times at neither."""
    world = make(job(schedule="* * * * *", max_duration_s=30.0, grace_s=15.0), now="00:00")
    for number, (when, keys) in enumerate(written(7, minutes, named=named)):
        deadline = world.engine.next_moment()
        if deadline < when:
            look(world, deadline)
        world.write(line(**keys))
        if number % 5:
            look(world, when + seconds(0.001))
    look(world, MIDNIGHT + timedelta(minutes=minutes, seconds=59))
    assert world.handed == []
    assert world.rows("SELECT verdict, count(*) FROM slot GROUP BY verdict") == [("ok", minutes)]
    assert world.rows("SELECT count(*) FROM run") == [(minutes,)]


def look(world, now):
    world.engine.handle(Look(triggered_by=TriggeredBy.TIMER), now)


def test_it_notices_the_one_run_that_never_came(make):
    world = make(job(schedule="* * * * *", max_duration_s=30.0, grace_s=15.0), now="00:00")
    gone = at("00:37")
    for when, keys in written(11, 60):
        if gone <= when < gone + timedelta(minutes=1):
            continue
        while (deadline := world.engine.next_moment()) < when:
            look(world, deadline)
        world.write(line(**keys))
        look(world, when)
    told = [message for _, _, message in world.handed]
    assert [(message.slot, message.created_at) for message in told] == [(gone, gone + seconds(45))]
    assert world.rows("SELECT slot FROM slots WHERE verdict = 'missed'") == [(gone.isoformat(),)]
