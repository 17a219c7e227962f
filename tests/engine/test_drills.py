"""Drills, the canary and the heartbeat, up to the hands that do them."""

from datetime import timedelta

import pytest

from cronverifyd.model import (
    Beaten,
    Channel,
    Delivery,
    DeliveryResult,
    Drill,
    HostFacts,
    Look,
    Rehearsed,
    Silence,
    Span,
    TriggeredBy,
    Volume,
)
from cronverifyd.report.proof import unproven
from tests.builders import at, finished, job
from tests.engine.world import CHANNELS, kinds

LOOK = Look(triggered_by=TriggeredBy.TIMER)
REFUSED = Delivery(result=DeliveryResult.REFUSED, error="answered 404")


def drilled(run, when, status="failed"):
    """Write the finish line of the drill's job, as the wrapper does."""
    line = finished(when, status, run_id=f"w-{run}", output_tail=f"{run}\n", exit_code=1)
    return line.replace(b"db-backup", b"cronverifyd-drill")


def reasons(world, now):
    return unproven(world.scope, world.store, at(now))


# ---- drills -------------------------------------------------------------------------------------


def test_a_drill_is_told_on_every_channel_whatever_it_wants(make):
    channels = CHANNELS | {"money": Channel(name="money", kind="console", tags=frozenset({"x"}))}
    world = make(job(), channels=channels)
    answer = world.engine.handle(Drill(run="abc123"), at("02:00"))
    assert answer.channels == ("ops", "money")
    told = world.look("02:00:01", drilled("abc123", "02:00:01"))
    assert kinds(told) == ["drill", "drill"]
    assert told[0].title == "DRILL: alerts of web1 arrive here; nothing is wrong"
    assert "exit code 1 and status failed, as it was meant to" in told[0].text
    assert [(c, str(s)) for c, s, _ in world.store.drill("abc123")] == [
        ("ops", "sent"),
        ("money", "sent"),
    ]


def test_its_line_makes_no_run_no_slot_and_no_finding(make):
    world = make(job())
    world.engine.handle(Drill(run="abc123"), at("02:00"))
    world.look("02:00:01", drilled("abc123", "02:00:01"))
    assert world.rows("SELECT count(*) FROM run") == [(0,)]
    assert world.rows("SELECT count(*) FROM slot") == [(0,)]
    assert world.rows("SELECT count(*) FROM finding") == [(0,)]


def test_a_line_that_nobody_asked_for_is_no_drill(make):
    world = make(job())
    (told,) = world.look("02:00:01", drilled("guessed", "02:00:01"))
    assert (str(told.kind), told.title) == (
        "finding",
        "cronverifyd-drill ran and stands in no configuration",
    )


def test_a_drill_that_was_asked_for_before_a_restart_is_told_once(make):
    world = make(job())
    world.engine.handle(Drill(run="abc123"), at("02:00"))
    world.reopen(now="02:01")
    line = drilled("abc123", "02:01")
    assert kinds(world.look("02:01", line)) == ["drill"]
    assert kinds(world.look("02:02", line)) == ["finding"]


def test_a_drill_is_told_in_a_mute_of_everything(make):
    world = make(job())
    world.engine.handle(Silence(job=None, for_s=3_600.0), at("01:59"))
    world.engine.handle(Drill(run="abc123"), at("02:00"))
    assert kinds(world.look("02:00:01", drilled("abc123", "02:00:01"))) == ["drill"]


def test_there_is_one_a_week_by_itself_in_one_line(make):
    world = make(job(schedule="@reboot"), drills=True)
    assert world.engine.next_moment() == at("2024-05-22T00:00")
    world.look_only("2024-05-21T23:59")
    assert world.rehearsals == []
    world.look_only("2024-05-22T00:00")
    (rehearsal,) = world.rehearsals
    assert rehearsal.fails is True
    (told,) = world.look("2024-05-22T00:00:01", drilled(rehearsal.run, "2024-05-22T00:00:01"))
    assert (told.title, told.text, told.remedy) == (
        "Weekly drill: alerts of web1 arrive here",
        "",
        "",
    )
    world.reopen(now="2024-05-23T00:00")
    world.look_only("2024-05-28T23:59")
    assert len(world.rehearsals) == 1
    world.look_only("2024-05-29T00:00")
    assert len(world.rehearsals) == 2


def test_a_weekly_drill_that_cannot_be_run_is_told(make):
    world = make(job(schedule="@reboot"), drills=True)
    world.look_only("2024-05-22T00:00")
    fault = "cronverify-wrap is not installed"
    world.engine.handle(Rehearsed(run=world.rehearsals[0].run, fault=fault), at("2024-05-22T00:01"))
    (told,) = world.deliver("2024-05-22T00:01")
    assert (told.title, told.text) == ("the weekly drill could not be run", fault)


# ---- what is proven -----------------------------------------------------------------------------


def test_a_channel_is_proven_for_eight_days_by_a_message_that_it_took(make):
    world = make(job())
    assert reasons(world, "03:00") == (
        "channel ops has taken no message yet (cronverifyd drill sends one)",
    )
    world.look("03:05", finished("03:04", "failed"))
    assert reasons(world, "03:06") == ()
    assert reasons(world, "2024-05-23T03:04") == ()
    assert reasons(world, "2024-05-23T03:06") == ("channel ops has taken no message for 8 d 1 min",)


def test_one_that_refused_its_last_message_is_not(make):
    world = make(job())
    world.look("03:05", finished("03:04", "failed"))
    world.engine.handle(Drill(run="abc123"), at("04:00"))
    world.write(drilled("abc123", "04:00"))
    world.engine.handle(LOOK, at("04:00"))
    world.deliver("04:00", REFUSED)
    assert reasons(world, "04:01") == ("channel ops has refused its last message",)


def test_one_that_has_not_taken_a_message_for_five_minutes_is_not(make):
    world = make(job())
    world.look("03:05", finished("03:04", "failed"))
    world.write(finished("03:10", run_id="r2"))
    world.engine.handle(LOOK, at("03:10"))
    world.deliver("03:10", Delivery(result=DeliveryResult.RETRY, error="timed out"))
    assert reasons(world, "03:14") == ()
    assert reasons(world, "03:16") == ("channel ops has not taken a message for 6 min",)


# ---- the heartbeat ------------------------------------------------------------------------------


@pytest.fixture
def beating(make):
    world = make(job(schedule="@reboot"), heartbeat=timedelta(seconds=60))
    world.look_only("00:00")
    world.engine.handle(Drill(run="abc123"), at("00:00"))
    world.look("00:00:01", drilled("abc123", "00:00:01"))
    (canary,) = world.rehearsals
    assert canary.fails is False
    world.look("00:00:02", drilled(canary.run, "00:00:02", "success"))
    return world


def test_it_beats_while_every_link_is_proven(beating):
    assert beating.engine.next_moment() == at("00:01")
    beating.look_only("00:01")
    beating.engine.handle(Beaten(), at("00:01"))
    beating.look_only("00:02")
    assert beating.beats == [(), ()]
    assert beating.store.signs()["heartbeat"] == (at("00:01"), "")


def test_it_says_when_no_run_comes_through_any_more(beating):
    beating.look_only("00:05:02")
    assert len(beating.rehearsals) == 2
    fault = "cronverify-wrap ended with 1: disk full"
    beating.engine.handle(Rehearsed(run=beating.rehearsals[-1].run, fault=fault), at("00:05:03"))
    beating.look_only("00:17")
    assert beating.beats[-1] == (
        f"no run of the wrapper has come through for 16 min 58 s: {fault}",
    )


def test_it_says_when_a_disk_is_full(beating):
    volume = Volume(
        path="/data", device=7, size_bytes=10, free_bytes=0, full=(Span(since=at("00:00:30")),)
    )
    beating.host.facts = HostFacts(at=at("00:01"), volumes=(volume,))
    beating.look_only("00:01")
    assert beating.beats == [("the disk of /data is full",)]


def test_without_an_address_nothing_beats_and_no_canary_is_sent(make):
    world = make(job(schedule="@reboot"))
    world.look_only("00:00")
    world.look_only("00:10")
    assert (world.beats, world.rehearsals, world.engine.next_moment()) == ([], [], None)
