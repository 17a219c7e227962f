"""What people do by hand: acknowledge an incident, mute a job or all of them, end a mute."""

import pytest

from cronverifyd.errors import CronverifydError, UnknownJobError
from cronverifyd.model import Acknowledge, HostFacts, Silence, Span, Unsilence
from tests.builders import at, finished, job
from tests.engine.world import kinds


def mute(world, now, name="db-backup", for_s=3_600.0, **changed):
    return world.engine.handle(Silence(job=name, for_s=for_s, **changed), at(now)).mute


def unmute(world, now, name="db-backup"):
    return world.engine.handle(Unsilence(job=name), at(now)).mute


def ack(world, now, *names):
    return world.engine.handle(Acknowledge(names=names, who="alice"), at(now)).incidents


# ---- mutes --------------------------------------------------------------------------------------


def test_nobody_is_told_of_a_muted_job_until_the_mute_is_over(make):
    world = make(job())
    muted = mute(world, "02:00", for_s=2 * 3_600, reason="new disk", who="alice")
    assert (muted.until, muted.reason) == (at("04:00"), "new disk")
    assert world.look("03:05", finished("03:04", "failed")) == []
    assert world.look_only("03:59") == []
    assert world.engine.next_moment() == at("04:00")
    opened, over = world.look_only("04:00")
    assert (str(opened.kind), opened.job) == ("opened", "db-backup")
    assert (str(over.kind), over.title) == (
        "unmuted",
        "the mute of db-backup is over: it swallowed 1 message",
    )
    assert "muted since 2024-05-15 02:00:00Z (new disk)" in over.text
    assert f"incident {world.incident().id}" in over.text
    assert world.store.mutes() == {}


def test_what_was_told_after_a_mute_is_over_recovers_as_ever(make):
    world = make(job())
    mute(world, "02:00", for_s=2 * 3_600)
    world.look("03:05", finished("03:04", "failed"))
    world.look_only("04:00")
    assert kinds(world.look("04:10", finished("04:10", run_id="r2"))) == ["recovered"]


def test_what_was_good_again_before_the_end_is_only_counted(make):
    world = make(job())
    mute(world, "02:00", for_s=2 * 3_600)
    world.look("03:05", finished("03:04", "failed"))
    assert world.look("03:10", finished("03:10", run_id="r2")) == []
    (over,) = world.look_only("04:00")
    assert over.title == "the mute of db-backup is over: it swallowed 1 message"


def test_a_recovery_of_what_was_told_before_comes_when_the_mute_is_over(make):
    world = make(job())
    assert kinds(world.look("03:05", finished("03:04", "failed"))) == ["opened"]
    mute(world, "03:06")
    assert world.look("03:10", finished("03:10", run_id="r2")) == []
    unmute(world, "03:20")
    assert kinds(world.deliver("03:20")) == ["recovered", "unmuted"]


def test_a_mute_that_swallowed_nothing_ends_without_a_word(make):
    world = make(job())
    mute(world, "01:00")
    assert world.look_only("02:00") == []
    assert world.store.mutes() == {}


def test_other_jobs_are_told_of_as_ever(make):
    world = make(job(), job(name="other"))
    mute(world, "02:00", name="other")
    assert kinds(world.look("03:05", finished("03:04", "failed"))) == ["opened"]


def test_a_mute_of_everything_takes_in_what_is_about_no_job(make):
    world = make(job())
    mute(world, "02:00", name=None, for_s=7_200)
    world.host.facts = HostFacts(
        at=at("02:30"),
        cron_running=False,
        cron_expected=True,
        cron_missing_s=40.0,
        cron_gaps=(Span(since=at("02:30")),),
    )
    assert world.look_only("02:31") == []
    unmute(world, "02:40", name=None)
    assert kinds(world.deliver("02:40")) == ["cron_dead", "unmuted"]


def test_what_two_mutes_keep_back_comes_when_the_second_is_over(make):
    world = make(job())
    mute(world, "02:00", for_s=2 * 3_600)
    mute(world, "02:00", name=None, for_s=3 * 3_600)
    world.look("03:05", finished("03:04", "failed"))
    assert world.look_only("04:00") == []
    assert kinds(world.look_only("05:00")) == ["opened", "unmuted"]


def test_a_mute_outlives_the_daemon_and_is_shown_with_what_it_swallowed(make):
    world = make(job())
    mute(world, "02:00", for_s=2 * 3_600, reason="new disk", who="alice")
    world.look("03:05", finished("03:04", "failed"))
    world.reopen(now="03:30")
    assert world.look_only("03:30") == []
    kept = world.store.mutes()["db-backup"]
    assert (kept.swallowed, kept.reason, kept.who, kept.until) == (
        1,
        "new disk",
        "alice",
        at("04:00"),
    )
    assert [entry["kind"] for entry in world.journal() if "mute" in entry["kind"]] == ["mute"]


def test_a_longer_mute_takes_the_place_of_the_last_one(make):
    world = make(job())
    mute(world, "02:00")
    world.look("02:50", finished("02:49", "failed"))
    longer = mute(world, "02:55", for_s=2 * 3_600)
    assert (longer.since, longer.until, longer.swallowed) == (at("02:00"), at("04:55"), 1)
    assert world.look_only("04:30") == []


@pytest.mark.parametrize("for_s", [0.0, -1.0, 31 * 86_400.0], ids=["none", "past", "for ever"])
def test_a_mute_that_would_not_end_is_refused(make, for_s):
    world = make(job())
    with pytest.raises(CronverifydError, match="at most 30 days"):
        mute(world, "02:00", for_s=for_s)


def test_a_job_that_nobody_knows_cannot_be_muted(make):
    world = make(job())
    with pytest.raises(UnknownJobError, match='no job "nope"'):
        mute(world, "02:00", name="nope")


def test_to_end_a_mute_that_is_none_does_nothing(make):
    assert unmute(make(job()), "02:00") is None


def test_no_reminder_is_told_in_a_mute_and_the_last_one_comes_after_it(make):
    world = make(job(), remind_s=(3_600, 7_200))
    world.look("03:05", finished("03:04", "failed"))
    mute(world, "03:10", for_s=6 * 3_600)
    assert world.look_only("04:30") == []
    assert world.look_only("05:30") == []
    told = world.look_only("09:10")
    assert kinds(told) == ["reminded", "unmuted"]


# ---- acknowledgements ---------------------------------------------------------------------------


def test_nobody_is_reminded_of_an_incident_that_somebody_knows_of(make):
    world = make(job(), remind_s=(3_600,))
    world.look("03:05", finished("03:04", "failed"))
    (acked,) = ack(world, "03:10", "db-backup")
    assert (acked.job, acked.acked_at) == ("db-backup", at("03:10"))
    assert world.look_only("09:00") == []
    assert world.engine.next_moment() != at("04:05")
    assert [e["who"] for e in world.journal() if e["kind"] == "ack"] == ["alice"]
    world.reopen(now="10:00")
    assert world.look_only("10:00") == []
    assert kinds(world.look("10:10", finished("10:10", run_id="r2"))) == ["recovered"]


def test_an_incident_is_acknowledged_by_its_id_and_once(make):
    world = make(job())
    world.look("03:05", finished("03:04", "failed"))
    (first,) = ack(world, "03:10", world.incident().id)
    (second,) = ack(world, "03:20", "db-backup")
    assert first == second


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        pytest.param("db-backup", CronverifydError, "has no open incident", id="it is well"),
        pytest.param("nope", UnknownJobError, 'no open incident "nope"', id="nobody knows it"),
    ],
)
def test_what_is_not_open_cannot_be_acknowledged(make, name, error, words):
    with pytest.raises(error, match=words):
        ack(make(job()), "03:10", name)


def test_of_several_names_one_that_is_wrong_leaves_all_as_they_were(make):
    world = make(job())
    world.look("03:05", finished("03:04", "failed"))
    with pytest.raises(UnknownJobError):
        ack(world, "03:10", "db-backup", "nope")
    assert world.incident().acked_at is None
