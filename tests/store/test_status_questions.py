"""What the status listener asks of a database: strips, times of runs, piles of messages, marks."""

from datetime import timedelta

import pytest

from cronverifyd.model import AlertState, Delivery, DeliveryResult, Judgment, Verdict
from cronverifyd.store.reader import Pile, Timing, open_reader
from tests.builders import at, judged, run
from tests.tell.builders import alert, utc

CREATED = utc("2026-11-24T02:50:00")
LATER = CREATED + timedelta(minutes=1)


@pytest.fixture
def read(tmp_path, store):
    def ask(question):
        with open_reader(tmp_path) as reader:
            return question(reader)

    return ask


def decided(text, verdict, run_id):
    return judged(text, verdict, judgment=Judgment(verdict=Verdict(verdict), reason="", run=run_id))


def test_a_strip_is_oldest_first_and_in_the_slot_s_own_zone(store, read):
    for text, verdict in [("01:00", "ok"), ("2024-05-15T04:00:00+02:00", "late"), ("03:00", "ok")]:
        store.save_slot(judged(text, verdict))
    assert read(lambda r: r.strip("db-backup", 2)) == [
        ("2024-05-15T04:00:00+02:00", "late"),
        ("2024-05-15T03:00:00+00:00", "ok"),
    ]
    assert read(lambda r: r.strip("other", 2)) == []


def test_the_last_timing_is_of_the_newest_slot_whose_run_has_ended(store, read):
    assert read(lambda r: r.last_timing("db-backup")) is None
    for text, run_id in [("01:00", "r1"), ("02:00", "r2")]:
        store.save_run(run(text, text[:3] + "04", run=run_id, duration_s=240.0), at(text))
        store.save_slot(decided(text, "ok", run_id))
    store.save_run(run("03:00", run="r3"), at("03:00"))
    store.save_slot(decided("03:00", "overrun", "r3"))
    store.save_slot(judged("04:00", "missed"))
    assert read(lambda r: r.last_timing("db-backup")) == Timing(
        slot=at("02:00"), started_at=at("02:00"), ended_at=at("02:04"), duration_s=240.0
    )


def test_messages_are_counted_by_channel_and_by_where_they_stand(store, read):
    answers = {
        "a1": Delivery(result=DeliveryResult.SENT),
        "a2": Delivery(result=DeliveryResult.REFUSED),
        "a3": Delivery(result=DeliveryResult.RETRY),
    }
    with store.transaction():
        for number in range(1, 6):
            store.outbox.add(alert(id=f"a{number}", incident=f"i{number}"), "ops")
        store.outbox.add(alert(id="a1", created_at=LATER), "mail")
        for name, answer in answers.items():
            store.outbox.settle([f"{name}.ops"], answer, LATER)
    piles = {(pile.channel, pile.state): pile for pile in read(lambda r: r.piles())}
    assert {key: pile.count for key, pile in piles.items()} == {
        ("ops", AlertState.SENT): 1,
        ("ops", AlertState.DEAD): 1,
        ("ops", AlertState.FAILED): 1,
        ("ops", AlertState.NEW): 2,
        ("mail", AlertState.NEW): 1,
    }
    sent = Pile(channel="ops", state=AlertState.SENT, count=1, oldest=None, last_sent=LATER)
    assert piles["ops", AlertState.SENT] == sent
    assert piles["ops", AlertState.NEW].oldest == CREATED
    assert piles["mail", AlertState.NEW].oldest == LATER
