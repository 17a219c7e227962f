"""Triggers from outside: what they are answered, what CueAPI is told, and what if they stop."""

import pytest

from cronverifyd.model import Delivery, DeliveryResult, Reported, TriggeredBy, Verify
from tests.builders import at, finished, job
from tests.engine.world import kinds

HOURLY = job(name="db-backup", schedule="0 * * * *", max_duration_s=600.0, grace_s=300.0)
SENT = Delivery(result=DeliveryResult.SENT)
GONE = Delivery(result=DeliveryResult.RETRY, error="timed out")
LOST = Delivery(result=DeliveryResult.REFUSED, error="answered 404")


def deliver(world, now, name="db-backup", *, execution=None, of=None):
    """Let CueAPI trigger a job, for the slot whose window ends at `of` (default: now)."""
    message = Verify(
        jobs=(name,),
        triggered_by=TriggeredBy.CUEAPI,
        execution=execution or f"e-{name}-{now}",
        scheduled_for=at(of or now),
        owes_outcome=True,
    )
    return world.engine.handle(message, at(now))


@pytest.fixture
def world(make):
    return make(
        HOURLY,
        job(name="other", schedule="0 * * * *", max_duration_s=600.0, grace_s=300.0),
        triggered=True,
        fallback_s=10,
    )


# ---- the answer ---------------------------------------------------------------------------------


def test_an_answer_is_of_the_slot_that_the_cue_was_made_for(world):
    world.look("01:05", finished("01:05", "failed", run_id="r1"))
    world.look("02:05", finished("02:05", run_id="r2"))
    late = deliver(world, "02:20", of="01:15")
    (bad,) = late.details
    assert (bad.slot, str(bad.verdict)) == (at("01:00"), "failed")
    now = deliver(world, "02:20:10", of="02:15")
    assert now.details == ()
    assert [(good.slot, good.run) for good in now.good] == [(at("02:00"), "r2")]
    assert now.good[0].reason.startswith("ok: ended with status")


def test_an_execution_that_is_known_gets_its_first_answer_for_ten_minutes(world):
    world.look("01:05", finished("01:05", "failed", run_id="r1"))
    first = deliver(world, "01:15", execution="e1")
    world.look("01:16", finished("01:16", run_id="r2"))
    assert deliver(world, "01:24", execution="e1") == first
    assert deliver(world, "01:26", execution="e1", of="01:15") != first


def test_a_flood_of_triggers_evaluates_a_job_once_in_two_seconds(world):
    deliver(world, "01:15")
    before = world.rows("SELECT decided_us, triggered_by FROM slot")
    looks = world.host.looks
    for number in range(100):
        deliver(world, "01:15:01", execution=f"flood-{number}")
    assert world.host.looks == looks
    assert world.rows("SELECT decided_us, triggered_by FROM slot") == before
    deliver(world, "01:15:03", execution="later")
    assert world.host.looks == looks + 1


def test_what_was_written_meanwhile_is_seen_all_the_same(world):
    deliver(world, "01:05")
    world.write(finished("01:05:01", "failed"))
    assert [b.job for b in deliver(world, "01:05:01", of="01:15").details] == ["db-backup"]


def test_a_deadline_that_passes_meanwhile_is_judged_all_the_same(world):
    deliver(world, "01:14:59")
    (bad,) = deliver(world, "01:15:00").details
    assert (str(bad.verdict), bad.slot) == ("missed", at("01:00"))


# ---- the outcome that CueAPI is told ------------------------------------------------------------


def test_cueapi_is_told_what_came_of_each_execution_until_it_took_it(world):
    world.look("01:05", finished("01:05", run_id="r1"))
    verified = deliver(world, "01:15", execution="e1")
    (report,) = world.reports
    assert (report.execution, report.verified) == ("e1", verified)
    world.engine.handle(Reported(execution="e1", delivery=GONE), at("01:15:01"))
    assert world.engine.next_moment() <= at("01:15:02")
    world.look_only("01:15:02")
    assert [r.execution for r in world.reports] == ["e1", "e1"]
    world.engine.handle(Reported(execution="e1", delivery=SENT), at("01:15:02"))
    world.look_only("02:00")
    assert len(world.reports) == 2
    assert world.rows("SELECT count(*) FROM report") == [(0,)]


def test_a_report_that_is_owed_outlives_the_daemon(world):
    deliver(world, "01:15", execution="e1")
    world.reopen(now="01:16")
    world.look_only("01:16")
    assert [r.execution for r in world.reports] == ["e1", "e1"]


def test_a_report_that_is_refused_is_not_tried_again(world):
    deliver(world, "01:15", execution="e1")
    world.engine.handle(Reported(execution="e1", delivery=LOST), at("01:15:01"))
    world.look_only("03:00")
    assert len(world.reports) == 1


def test_without_a_key_nothing_is_reported(make):
    world = make(HOURLY)
    deliver(world, "01:15", execution="e1")
    assert world.reports == []
    assert world.rows("SELECT count(*) FROM report") == [(0,)]


# ---- triggers that stop coming ------------------------------------------------------------------


def quiet_hours(world, first, last):
    """Let jobs do well, hour by hour, while nobody triggers; give what is told."""
    told = []
    for hour in range(first, last + 1):
        lines = finished(f"{hour:02}:05", run_id=f"r{hour}")
        world.write(lines, lines.replace(b"db-backup", b"other"))
        told += world.look_only(f"{hour:02}:06")
        told += world.look_only(f"{hour:02}:16:30")
    return told


def test_three_that_did_not_come_in_a_row_are_an_incident_that_heals(world):
    quiet_hours(world, 1, 1)
    deliver(world, "01:17", of="01:15")
    assert quiet_hours(world, 2, 3) == []
    (told,) = quiet_hours(world, 4, 4)
    assert (str(told.kind), told.title) == (
        "cueapi_lost",
        "CueAPI has not triggered since 2024-05-15 01:17:00Z",
    )
    assert "for db-backup" in told.text
    deliver(world, "05:15")
    back = next(m for m in world.deliver("05:15") if str(m.kind) == "cueapi_back")
    assert back.incident == told.incident
    assert "~cueapi" not in world.store.open_incidents()


def test_one_that_did_not_come_while_others_came_is_one_too(world):
    for name in ("db-backup", "other"):
        deliver(world, "01:15", name)
    quiet_hours(world, 1, 1)
    world.look("02:05", finished("02:05", run_id="x1"))
    deliver(world, "02:15:02", "other", of="02:15")
    assert [m for m in world.look_only("02:19") if m.kind == "cueapi_lost"] == []
    told = [m for m in world.look_only("02:20:01") if str(m.kind) == "cueapi_lost"]
    assert len(told) == 1
    assert "for db-backup" in told[0].text
    deliver(world, "02:30", "other", execution="again")
    assert "cueapi_back" not in kinds(world.deliver("02:30"))
    deliver(world, "02:31", of="02:15")
    assert "cueapi_back" in kinds(world.deliver("02:31"))


def test_a_job_that_was_never_triggered_awaits_none(world):
    assert quiet_hours(world, 1, 6) == []


def test_one_that_comes_with_a_delay_of_some_seconds_is_none_too_few(world):
    for hour in range(1, 6):
        line = finished(f"{hour:02}:05", run_id=f"r{hour}")
        world.write(line, line.replace(b"db-backup", b"other"))
        world.look_only(f"{hour:02}:06")
        deliver(world, f"{hour:02}:15:05", of=f"{hour:02}:15")
        assert world.look_only(f"{hour:02}:21") == []


def test_the_incident_outlives_the_daemon_and_heals_with_the_next_trigger(world):
    deliver(world, "01:17", of="01:15")
    quiet_hours(world, 2, 4)
    world.reopen(now="04:30")
    assert "~cueapi" in world.store.open_incidents()
    deliver(world, "04:31")
    assert "cueapi_back" in kinds(world.deliver("04:31"))
