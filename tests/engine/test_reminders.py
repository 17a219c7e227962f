"""An incident that stays open is told again, and one that comes and goes is told as such."""

import pytest

from tests.builders import at, finished, job, seconds
from tests.engine.world import kinds

HOUR = 3_600


def on(day, time):
    return (at(time) + seconds(86_400 * day)).isoformat()


@pytest.fixture
def reminding(make):
    return make(remind_s=(HOUR, 4 * HOUR, 24 * HOUR))


def test_it_is_told_again_on_the_ladder_and_every_day_after_that(reminding):
    reminding.look("03:05", finished("03:04", "failed"))
    told = {}
    for hour in range(1, 73):
        now = (at("03:05") + seconds(HOUR * hour)).isoformat()
        messages = reminding.look_only(now)
        if kinds(messages) == ["reminded"]:
            told[hour] = messages[0]
    assert list(told) == [1, 4, 24, 48, 72]
    assert len({message.id for message in told.values()}) == 5
    assert told[1].incident == told[72].incident == reminding.incident().id
    assert told[1].reason.startswith('ended with status "failed"')


def test_the_engine_asks_to_be_rung_for_it(reminding):
    reminding.look("03:05", finished("03:04", "failed"))
    reminding.look_only("03:50")
    assert reminding.engine.next_moment() == at("04:05")


def test_after_a_downtime_it_is_told_once(reminding):
    reminding.look("03:05", finished("03:04", "failed"))
    reminding.reopen(now=on(0, "23:00"))
    assert kinds(reminding.look_only(on(0, "23:00"))) == ["reminded"]
    assert reminding.look_only(on(0, "23:01")) == []


def test_one_that_is_over_is_not_told_again(reminding):
    reminding.look("03:05", finished("03:04", "failed"))
    reminding.look("03:30", finished("03:29", run_id="r2"))
    assert reminding.look_only("04:05") == []


def test_who_heard_of_no_opening_is_not_reminded(make):
    world = make(job(channels=()), channels={}, remind_s=(HOUR,))
    world.look("03:05", finished("03:04", "failed"))
    assert world.look_only("04:05") == []


def flap(world, story):
    """Live one day for each word: f for a failure, g for good."""
    told = []
    for day, word in enumerate(story):
        status = {"f": "failed", "g": "success"}[word]
        line = finished(on(day, "03:04"), status, f"r{day}")
        told.append(kinds(world.look(on(day, "03:05"), line)))
    return told


def test_the_third_opening_within_ten_slots_is_told_as_flapping_and_then_silence(make):
    told = flap(make(), "fgfgfgfggf" + "g" * 10)
    assert told[:5] == [["opened"], ["recovered"], ["opened"], ["recovered"], ["flapping"]]
    assert told[5:-1] == [[]] * 14
    assert told[-1] == ["recovered"]


def test_it_flaps_no_more_after_it_has_held(make):
    told = flap(make(), "fgfgf" + "g" * 10 + "g" * 5 + "fg")
    assert told[4] == ["flapping"]
    assert told[-2:] == [["opened"], ["recovered"]]


def test_three_failures_far_apart_are_no_flapping(make):
    told = flap(make(), ("f" + "g" * 5) * 3)
    assert [each for each in told if each] == [["opened"], ["recovered"]] * 3


def test_a_flapping_job_is_not_well(make):
    world = make()
    flap(world, "fgfgfg")
    assert world.incident().flapping


def test_a_flapping_one_is_silent_until_it_holds(make):
    world = make(remind_s=(HOUR, 4 * HOUR, 24 * HOUR))
    assert flap(world, "fgfgf")[-1] == ["flapping"]
    hours = [(at(on(4, "03:05")) + seconds(HOUR * hour)).isoformat() for hour in range(1, 20)]
    told = [kind for hour in hours for kind in kinds(world.look_only(hour))]
    assert "reminded" not in told
