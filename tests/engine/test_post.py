"""What a channel is told, and when: the first at once, the rest together, elsewhere if it must."""

import pytest

from cronverifyd.model import (
    Alert,
    Channel,
    Delivery,
    DeliveryResult,
    Digest,
    Look,
    TriggeredBy,
)
from tests.builders import at, finished, job, seconds
from tests.engine.world import SENT

RETRY = Delivery(result=DeliveryResult.RETRY, error="503")
REFUSED = Delivery(result=DeliveryResult.REFUSED, error="404 no_service")
TWO = {name: Channel(name=name, kind="console") for name in ("ops", "mail")}
CROWD = [job(name=f"job-{number:03}") for number in range(500)]


def look(world, now, *lines):
    """Look, and give what is handed over without a word of what comes of it."""
    world.write(*lines)
    world.engine.handle(Look(triggered_by=TriggeredBy.FILE), at(now))
    handed, world.handed[:] = list(world.handed), []
    return handed


def fail(number, when="03:04"):
    name = f"job-{number:03}"
    return finished(when, "failed", f"r-{name}", job_name=name)


def repair(number, when):
    name = f"job-{number:03}"
    return finished(when, run_id=f"s-{name}", job_name=name)


def report(world, now, handed, delivery=SENT):
    for parcel in handed:
        world.report(now, *parcel, delivery)
    told, world.handed[:] = list(world.handed), []
    return told


@pytest.fixture
def crowd(make):
    return make(*CROWD, gather_s=5)


def test_the_first_alert_leaves_at_once_and_what_follows_is_gathered(crowd):
    first = look(crowd, "03:05:00", fail(0))
    assert [type(message) for _, _, message in first] == [Alert]
    assert report(crowd, "03:05:00.5", first) == []
    assert look(crowd, "03:05:01", fail(1)) == []
    assert look(crowd, "03:05:04", fail(2)) == []
    assert crowd.engine.next_moment() == at("03:05:05")
    ((_, rows, digest),) = look(crowd, "03:05:05")
    assert isinstance(digest, Digest)
    assert [part.job for part in digest.parts] == ["job-001", "job-002"]
    assert len(rows) == 2


def test_500_jobs_that_fail_within_10_s_are_three_messages_at_most(crowd):
    told = []
    for second in range(10):
        now = (at("03:05:00") + seconds(second)).isoformat()
        lines = [fail(number) for number in range(second * 50, second * 50 + 50)]
        handed = look(crowd, now, *lines)
        told += handed
        report(crowd, now, handed)
    told += look(crowd, "03:05:10")
    assert len(told) <= 3
    assert sum(len(getattr(message, "parts", "1")) for _, _, message in told) == 500


def test_after_a_day_out_of_reach_2000_messages_are_told_in_five(make):
    """The newest word on each job; what was repaired meanwhile is well again."""
    world = make(*CROWD, gather_s=5)
    handed = look(world, "03:05:00", fail(0))
    report(world, "03:05:10", handed, RETRY)
    now = "03:06:00"
    handed = look(world, now, *(fail(number) for number in range(1, 500)))
    for hour in range(4, 8):
        lines = [repair(number, f"0{hour}:00") for number in range((hour - 4) * 100, 400)]
        handed += look(world, f"0{hour}:00:30", *lines)
        report(world, f"0{hour}:00:40", handed, RETRY)
        handed = []
    told, instant = [], at("23:00")
    for _ in range(10):
        handed = look(world, instant.isoformat())
        told += handed
        handed = report(world, instant.isoformat(), handed)
        told += handed
        instant += seconds(6)
    assert len(told) <= 5
    assert world.rows("SELECT count(*) FROM outbox WHERE state <> 'sent'") == [(0,)]


def test_a_recovery_that_overtakes_its_failure_is_one_message_that_says_so(make):
    world = make(gather_s=5)
    handed = look(world, "03:05:00", finished("03:04", "failed"))
    report(world, "03:05:10", handed, RETRY)
    assert look(world, "03:05:10", finished("03:05:10", run_id="r2")) == []
    ((_, rows, told),) = look(world, "03:06:00")
    assert len(rows) == 2
    assert str(told.kind) == "recovered"
    assert told.unheard.startswith('failed: ended with status "failed"')


def test_what_is_refused_is_told_on_the_second_channel_at_once(make):
    world = make(job(channels=("ops",)), channels=TWO, second=("mail",))
    handed = look(world, "03:05:00", finished("03:04", "failed"))
    told = report(world, "03:05:01", handed, REFUSED)
    told += look(world, "03:05:02")
    ((channel, _, message),) = told
    assert (channel, message.instead_of) == ("mail", "ops")
    assert report(world, "03:05:03", told) == []
    assert look(world, "03:10:00") == []


def test_what_is_not_taken_for_five_minutes_is_told_there_too(make):
    world = make(job(channels=("ops",)), channels=TWO, second=("mail",))
    handed = look(world, "03:05:00", finished("03:04", "failed"))
    now, told = at("03:05:01"), []
    while not told and now < at("03:12"):
        report(world, now.isoformat(), handed, RETRY)
        handed = look(world, now.isoformat())
        told = [parcel for parcel in handed if parcel[0] == "mail"]
        handed = [parcel for parcel in handed if parcel[0] == "ops"]
        now += seconds(5)
    assert at("03:10") <= now <= at("03:10:15")
    assert told[0][2].instead_of == "ops"


def test_where_the_second_channel_is_the_one_that_fails_nobody_else_is_told(make):
    world = make(job(channels=("mail",)), channels=TWO, second=("mail",))
    handed = look(world, "03:05:00", finished("03:04", "failed"))
    assert report(world, "03:05:01", handed, REFUSED) == []
    assert look(world, "03:05:02") == []


def test_who_was_told_instead_hears_of_the_recovery(make):
    world = make(job(channels=("ops",)), channels=TWO, second=("mail",))
    handed = look(world, "03:05:00", finished("03:04", "failed"))
    told = report(world, "03:05:01", handed, REFUSED) + look(world, "03:05:02")
    report(world, "03:05:03", told)
    told = look(world, "03:30", finished("03:29", run_id="r2"))
    assert [(channel, str(message.kind)) for channel, _, message in told] == [("mail", "recovered")]


def test_slack_takes_one_message_a_second(make):
    world = make(*CROWD[:2], channels={"ops": Channel(name="ops", kind="slack")})
    report(world, "03:05:00", look(world, "03:05:00", fail(0)))
    assert look(world, "03:05:00.5", fail(1)) == []
    assert len(look(world, "03:05:01")) == 1
