"""Many jobs with one cause that the host proves are one message, and one recovery."""

import pytest

from cronverifyd.model import (
    Channel,
    Delivery,
    DeliveryResult,
    HostFacts,
    Look,
    Span,
    TriggeredBy,
    Volume,
)
from tests.builders import at, finished, job, seconds
from tests.engine.world import kinds

LOOK = Look(triggered_by=TriggeredBy.TIMER)
GONE = Delivery(result=DeliveryResult.RETRY, error="connection refused")


def full(since="02:30", until=None):
    """Build a host whose disk of outcomes and jobs is full."""
    span = Span(since=at(since), until=at(until) if until else None)
    volume = Volume(
        path="/data",
        device=7,
        size_bytes=10**9,
        free_bytes=0 if until is None else 10**8,
        full=(span,),
    )
    return HostFacts(at=at(since), booted_at=at("00:00"), cron_running=True, volumes=(volume,))


def failed(name, when):
    """Write the finish line of a job that found no space left on the device."""
    line = finished(when, "failed", run_id=f"{name}-{when}")
    return line.replace(b"db-backup", name.encode()).replace(
        b'"status"', b'"error": "cp: No space left on device", "status"'
    )


def good(name, when):
    return finished(when, run_id=f"{name}-{when}").replace(b"db-backup", name.encode())


@pytest.fixture
def names():
    return [f"job-{number:03}" for number in range(500)]


@pytest.fixture
def world(make, names):
    opened = make(*(job(name=name) for name in names), gather_s=5)
    opened.host.facts = full()
    return opened


def posts(world, now, delivery=None):
    """Give the messages that are handed to the channel by now, whole, and report on them."""
    handed, world.handed = world.handed, []
    for channel, rows, message in handed:
        world.report(now, channel, rows, message, *([delivery] if delivery else []))
    return [message for _, _, message in handed]


def storm(world, names):
    """Let all jobs fail within ten seconds, fifty at a time."""
    told = []
    for second in range(10):
        now = at("03:00") + seconds(second)
        lines = [failed(name, now.isoformat()) for name in names[second * 50 : second * 50 + 50]]
        world.write(*lines)
        told += turn(world, now.isoformat())
    for second in range(10, 90, 5):
        told += turn(world, (at("03:00") + seconds(second)).isoformat())
    return told


def turn(world, now):
    world.engine.handle(LOOK, at(now))
    return posts(world, now)


def test_five_hundred_jobs_that_a_full_disk_fails_are_one_message_and_one_recovery(world, names):
    told = storm(world, names)
    assert len(told) == 1
    assert len(world.store.open_incidents()) == 500
    world.host.facts = full(until="03:04")
    later = []
    for minute in range(5, 10):
        world.write(
            *[good(n, f"03:0{minute}") for n in names[(minute - 5) * 100 : (minute - 4) * 100]]
        )
        later += turn(world, f"03:0{minute}")
    later += turn(world, "03:20")
    assert world.store.open_incidents() == {}
    assert [len(message.parts) for message in later] == [500]
    assert set(kinds(later[0].parts)) == {"recovered"}


def test_without_a_common_cause_they_are_three_messages_at_most(world, names):
    world.host.facts = HostFacts(at=at("00:00"), cron_running=True)
    assert 1 < len(storm(world, names)) <= 3


def test_a_job_that_the_same_cause_hits_later_is_told_with_the_next_word(make):
    world = make(job(name="a"), job(name="b"), job(name="c"))
    world.host.facts = full()
    assert [m.job for m in world.look("03:01", failed("a", "03:01"))] == ["a"]
    assert world.look("03:05", failed("b", "03:05")) == []
    assert world.look("03:06", failed("c", "03:06")) == []
    assert [m.job for m in world.look_only("03:11")] == ["b", "c"]


def test_what_was_folded_into_a_message_that_does_not_arrive_goes_with_it(make):
    world = make(job(name="a"), job(name="b"), gather_s=5)
    world.host.facts = full()
    world.write(failed("a", "03:01"))
    world.engine.handle(LOOK, at("03:01"))
    world.write(failed("b", "03:01"))
    world.engine.handle(LOOK, at("03:01:01"))
    (first,) = posts(world, "03:01:02", GONE)
    assert first.job == "a"
    told = world.look_only("03:01:10")
    assert [message.job for message in told] == ["a", "b"]


def test_each_channel_is_told_of_a_cause_by_itself(make):
    channels = {name: Channel(name=name, kind="console") for name in ("ops", "mine")}
    world = make(
        job(name="a", channels=("ops",)), job(name="b", channels=("mine",)), channels=channels
    )
    world.host.facts = full()
    world.look("03:01", failed("a", "03:01"))
    assert [m.job for m in world.look("03:01:05", failed("b", "03:01:05"))] == ["b"]


def test_a_new_failure_does_not_come_before_a_recovery_that_was_held_back(make):
    world = make(job(name="a"), job(name="b"), gather_s=5)
    world.host.facts = full()
    world.look("03:01", failed("a", "03:01"))
    world.look("03:01:10", failed("b", "03:01:05"))
    world.host.facts = full(until="03:02")
    assert world.look("03:03", good("a", "03:03")) == []
    told = world.look("2024-05-16T03:01", failed("a", "2024-05-16T03:01").replace(b"cp", b"x"))
    assert [(str(m.kind), m.job) for m in told][:2] == [("recovered", "a"), ("opened", "a")]


def test_a_job_with_a_tag_goes_to_the_channels_that_want_it(make):
    channels = {
        "ops": Channel(name="ops", kind="console"),
        "money": Channel(name="money", kind="console", tags=frozenset({"billing"})),
    }
    world = make(
        job(name="a", channels=(), tags=("billing", "night")),
        job(name="b", channels=(), tags=("night",)),
        job(name="c", channels=("money",)),
        channels=channels,
    )
    line = b"".join(good(n, "03:01").replace(b'"success"', b'"failed"') for n in "abc")
    world.write(line)
    world.look_only("03:02")
    rows = world.rows("SELECT job, channel FROM outbox ORDER BY job, channel")
    assert rows == [("a", "money"), ("a", "ops"), ("b", "ops"), ("c", "money")]


def test_after_a_message_of_many_the_next_is_gathered_for_twice_as_long(make):
    names = [f"job-{number:02}" for number in range(30)]
    world = make(*(job(name=name) for name in names), gather_s=5)
    bad = {name: good(name, "03:01").replace(b'"success"', b'"failed"') for name in names}
    world.write(bad[names[0]])
    assert len(turn(world, "03:01:00")) == 1
    world.write(*(bad[name] for name in names[1:20]))
    assert turn(world, "03:01:01") == []
    assert [len(message.parts) for message in turn(world, "03:01:05")] == [19]
    world.write(*(bad[name] for name in names[20:]))
    assert turn(world, "03:01:10") == []
    assert [len(message.parts) for message in turn(world, "03:01:15")] == [10]
