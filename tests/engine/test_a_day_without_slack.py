"""Slack takes nothing for a day, and 2,000 alerts come meanwhile."""

import tracemalloc
from datetime import timedelta

import pytest

from cronverifyd.model import Channel, Delivery, DeliveryResult, Look, TriggeredBy
from tests.builders import at, finished, job, minutes, seconds
from tests.engine.world import SENT

DOWN = Delivery(result=DeliveryResult.RETRY, error="hooks.slack.com answered 503")
JOBS = 500
SLACK = {"ops": Channel(name="ops", kind="slack")}
BEGINS, ENDS = at("00:10"), at("00:10") + timedelta(hours=24)


class Outage:
    """A world whose channel refuses all until it is back; it lives from ring to ring."""

    def __init__(self, world):
        self.world = world
        self.is_down = True
        self.messages = []
        self.tries = 0

    def live(self, until):
        """Let the engine do all that it wants to do by then."""
        while (now := self.world.engine.next_moment()) is not None and now <= until:
            self.look(now)

    def look(self, now, *lines):
        self.world.write(*lines)
        self.world.engine.handle(Look(triggered_by=TriggeredBy.TIMER), now)
        while self.world.handed:
            parcel = self.world.handed.pop(0)
            self.tries += 1
            if not self.is_down:
                self.messages.append(parcel[2])
            self.world.report(now.isoformat(), *parcel, DOWN if self.is_down else SENT)


def name(number):
    return f"job-{number:03}"


def lines_of(hour, when):
    """Let all jobs fail and heal twice in the day, and some of them fail once more in the end."""
    status = {2: "failed", 7: "success", 12: "failed", 17: "success", 22: "failed"}[hour]
    for number in range(JOBS if hour < 22 else JOBS // 5):
        run = f"{hour}-{number}"
        yield finished(when.isoformat(), status, run, job_name=name(number))


@pytest.fixture
def outage(make):
    daily = [job(name=name(number), schedule="50 23 * * *") for number in range(JOBS)]
    return Outage(make(*daily, channels=SLACK, gather_s=5, now="00:00"))


def test_a_day_of_2000_alerts_is_told_in_five_messages_and_the_last_word_is_right(outage):
    for hour in (2, 7, 12, 17, 22):
        when = at(f"{hour:02}:00")
        outage.live(when)
        outage.look(when + seconds(1), *lines_of(hour, when))
    outage.live(ENDS)
    alerts = "SELECT count(*) FROM outbox"
    ((count,),) = outage.world.rows(alerts)
    assert count >= 2_000
    assert outage.world.rows(f"{alerts} WHERE state IN ('sent', 'dead')") == [(0,)]
    assert outage.tries > 100

    outage.is_down = False
    tracemalloc.start()
    outage.live(ENDS + minutes(6))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(outage.messages) <= 5
    assert outage.world.rows(f"{alerts} WHERE state <> 'sent'") == [(0,)]
    assert peak < 8 << 20
    last = {}
    for message in outage.messages:
        for part in getattr(message, "parts", [message]):
            last[part.job] = str(part.kind)
    open_ones = outage.world.store.open_incidents()
    assert open_ones.keys() == {name(number) for number in range(JOBS // 5)}
    assert len(last) == JOBS
    assert {each for each, kind in last.items() if kind != "recovered"} == open_ones.keys()
