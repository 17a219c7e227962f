"""What the host says: a dead cron is told at once, and an alert names what the host can prove."""

import pytest

from cronverifyd.model import Channel, HostFacts, Span
from tests.builders import at, finished, job
from tests.engine.world import CHANNELS


def dead(since, missing_s=40.0):
    return HostFacts(
        at=at(since),
        booted_at=at("2024-05-01T00:00:00"),
        cron_running=False,
        cron_expected=True,
        cron_missing_s=missing_s,
        cron_gaps=(Span(since=at(since)),),
    )


def alive(*gaps):
    return HostFacts(
        at=at("00:00"),
        booted_at=at("2024-05-01T00:00:00"),
        cron_running=True,
        cron_expected=True,
        cron_pid=77,
        cron_gaps=gaps,
    )


@pytest.fixture
def world(make):
    opened = make(job(), job(name="other"))
    opened.host.facts = alive()
    return opened


def test_a_dead_cron_is_told_before_any_deadline(world):
    world.host.facts = dead("02:00:00")
    (told,) = world.look_only("02:01")
    assert (str(told.kind), str(told.severity), told.title) == (
        "cron_dead",
        "critical",
        "cron is not running",
    )
    assert "02:00:00" in told.text
    assert world.look_only("02:02") == []
    world.reopen(now="02:03")
    assert world.look_only("02:03") == []


def test_one_that_is_away_for_a_moment_is_not(world):
    world.host.facts = dead("02:00:00", missing_s=10.0)
    assert world.look_only("02:00:10") == []


def test_what_is_owed_is_listed_when_it_is_back(world):
    world.host.facts = dead("02:00:00")
    world.look_only("02:01")
    world.look_only("04:05")
    world.host.facts = alive(Span(since=at("02:00:00"), until=at("04:10")))
    (told,) = world.look_only("04:10")
    assert (str(told.kind), told.title) == ("cron_back", "cron is running again")
    assert told.text.splitlines() == [
        "2 slots are owed:",
        "db-backup, due 2024-05-15T03:00:00+00:00",
        "other, due 2024-05-15T03:00:00+00:00",
    ]
    assert world.store.open_incidents().keys() == {"db-backup", "other"}


def test_while_nobody_knows_whether_it_is_back_the_incident_stays_open(world):
    world.host.facts = dead("02:00:00")
    world.look_only("02:01")
    world.host.facts = HostFacts(at=at("02:02"))
    assert world.look_only("02:02") == []
    assert "~cron" in world.store.open_incidents()


def test_jobs_that_a_dead_cron_makes_miss_are_not_told_one_by_one(world):
    world.host.facts = dead("02:00:00")
    world.look_only("02:01")
    assert world.look_only("04:05") == []
    assert {"db-backup", "other"} <= world.store.open_incidents().keys()
    assert {row[0] for row in world.rows("SELECT state FROM outbox WHERE kind = 'opened'")} == {
        "folded"
    }


def test_a_job_that_is_bad_without_the_dead_cron_is_told_after_all(world):
    world.host.facts = dead("02:00:00")
    world.look_only("02:01")
    world.look_only("04:05")
    world.host.facts = alive(Span(since=at("02:00:00"), until=at("04:10")))
    world.look_only("04:10")
    (told,) = world.look("2024-05-16T03:05", finished("2024-05-16T03:04", "failed", run_id="r2"))
    assert (str(told.kind), told.job, told.cause) == ("opened", "db-backup", None)
    *_, well = world.look("2024-05-17T03:05", finished("2024-05-17T03:04", run_id="r3"))
    assert (str(well.kind), well.job) == ("recovered", "db-backup")


def test_a_job_that_recovers_from_a_dead_cron_makes_no_message_of_its_own(world):
    world.host.facts = dead("02:00:00")
    world.look_only("02:01")
    world.look_only("04:05")
    world.host.facts = alive(Span(since=at("02:00:00"), until=at("04:10")))
    world.look_only("04:10")
    assert world.look("2024-05-16T03:05", finished("2024-05-16T03:04", run_id="r2")) == []
    assert world.incident() is None


def test_a_cron_that_stays_dead_is_told_again_with_what_is_owed(make):
    world = make(job(), remind_s=(3_600, 14_400))
    world.host.facts = dead("02:00:00")
    world.look_only("02:01")
    (told,) = world.look_only("03:02")
    assert (str(told.kind), told.title) == ("cron_dead", "cron is still not running")
    assert "1 slot is owed:\ndb-backup, due 2024-05-15T03:00:00+00:00" in told.text


def test_an_alert_on_a_channel_that_was_not_told_names_the_cause(make):
    channels = {"ops": CHANNELS["ops"], "mine": Channel(name="mine", kind="console")}
    world = make(job(channels=("mine",)), channels=channels, route=("ops",))
    world.host.facts = dead("02:00:00")
    world.look_only("02:01")
    (told,) = world.look_only("04:05")
    assert str(told.kind) == "opened"
    assert "cron is not running since 02:00:00" in told.cause
    assert told.host_says


def test_a_failure_that_the_host_does_not_explain_has_no_cause(world):
    (told,) = world.look("03:05", finished("03:04", "failed"))
    assert told.cause is None


def test_a_host_that_was_down_over_a_slot_is_its_cause(world):
    world.look("02:00", finished("02:00", run_id="r0"))
    world.close()
    world.host.boot, world.host.booted_at = "boot-2", at("05:00")
    world.open(*world.jobs, now="05:01")
    told = world.look_only("05:01")
    assert {m.job for m in told} == {"db-backup", "other"}
    assert {m.cause for m in told} == {
        "the host was down from 02:00:00 to 05:00:00 UTC (3 h)",
    }
