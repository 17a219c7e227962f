"""The outbox: in order, with back-off, given up after a day, and told again after a crash."""

from dataclasses import replace

import pytest

from cronverifyd.model import AlertKind, AlertState, Delivery, DeliveryResult, NoticeKind
from cronverifyd.store.outbox import GIVE_UP_AFTER
from tests.builders import at, minutes, seconds
from tests.tell.builders import alert, notice

NOW = at("03:00")
SENT = Delivery(result=DeliveryResult.SENT, receipt="ok")
RETRY = Delivery(result=DeliveryResult.RETRY, error="503")
REFUSED = Delivery(result=DeliveryResult.REFUSED, error="404 no_service")

OPENED = alert(id="i1.opened", incident="i1", created_at=NOW)
RECOVERED = alert(id="i1.recovered", incident="i1", kind=AlertKind.RECOVERED, created_at=NOW)
NOTICE = notice(id="n1", created_at=NOW)
BLIND = notice(id="i9.opened", incident="i9", kind=NoticeKind.BLIND, created_at=NOW)
SIGHTED = notice(id="i9.recovered", incident="i9", kind=NoticeKind.SIGHTED, created_at=NOW)


@pytest.fixture
def outbox(store):
    return store.outbox


def row(store, row_id):
    found = store._db.execute("SELECT * FROM alerts WHERE id = ?", (row_id,)).fetchone()
    return dict(found)


def test_what_is_added_is_taken_with_all_that_it_says(outbox):
    for message in (OPENED, NOTICE):
        assert outbox.add(message, "ops") is True
    brief = replace(OPENED, output_tail=None)  # the output of a job is for a message of its own
    assert outbox.take("ops", NOW) == [("i1.opened.ops", brief), ("n1.ops", NOTICE)]
    assert outbox.take("ops", NOW) == []


def test_a_message_stands_there_once_a_channel(outbox):
    assert outbox.add(OPENED, "ops") is True
    assert outbox.add(OPENED, "ops") is False
    assert outbox.add(OPENED, "mail") is True


def test_a_channel_gets_its_own_messages_only(outbox):
    outbox.add(OPENED, "ops")
    assert outbox.take("mail", NOW) == []


def test_a_message_of_the_future_waits(outbox):
    outbox.add(OPENED, "ops")
    assert outbox.take("ops", NOW - seconds(1)) == []


def test_a_row_is_marked_before_it_is_sent(store, outbox):
    outbox.add(OPENED, "ops")
    outbox.take("ops", NOW)
    assert row(store, "i1.opened.ops")["state"] == AlertState.SENDING


def test_what_was_sent_is_over(store, outbox):
    outbox.add(OPENED, "ops")
    outbox.take("ops", NOW)
    assert outbox.settle(["i1.opened.ops"], SENT, NOW + seconds(1)) == [AlertState.SENT]
    assert outbox.take("ops", NOW + minutes(60)) == []
    told = row(store, "i1.opened.ops")
    assert (told["state"], told["tries"], told["sent_at"], told["next_try"], told["error"]) == (
        "sent",
        1,
        "2024-05-15T03:00:01.000Z",
        None,
        None,
    )


def test_a_second_report_changes_nothing(store, outbox):
    outbox.add(OPENED, "ops")
    outbox.take("ops", NOW)
    outbox.settle(["i1.opened.ops"], SENT, NOW)
    before = row(store, "i1.opened.ops")
    assert outbox.settle(["i1.opened.ops"], RETRY, NOW + seconds(9)) == [AlertState.SENT]
    assert row(store, "i1.opened.ops") == before


def test_what_comes_while_a_channel_is_out_of_reach_waits_with_the_rest(outbox):
    outbox.add(OPENED, "ops")
    outbox.take("ops", NOW)
    outbox.settle(["i1.opened.ops"], replace(RETRY, retry_after_s=60.0), NOW)
    outbox.add(RECOVERED, "ops")
    outbox.add(NOTICE, "ops")
    assert outbox.take("ops", NOW + seconds(59)) == []
    assert outbox.next_tries() == {"ops": NOW + seconds(60)}
    taken = [row_id for row_id, _ in outbox.take("ops", NOW + seconds(60))]
    assert taken == ["i1.opened.ops", "i1.recovered.ops", "n1.ops"]
    assert outbox.next_tries() == {}


def test_what_was_refused_together_is_tried_alone(store, outbox):
    for message in (OPENED, RECOVERED, NOTICE):
        outbox.add(message, "ops")
    rows = [row_id for row_id, _ in outbox.take("ops", NOW)]
    assert outbox.settle(rows, REFUSED, NOW) == [AlertState.NEW] * 3
    assert outbox.take("ops", NOW) == [("i1.opened.ops", OPENED)]
    outbox.settle(["i1.opened.ops"], SENT, NOW)
    assert outbox.take("ops", NOW) == [("i1.recovered.ops", RECOVERED)]
    outbox.settle(["i1.recovered.ops"], REFUSED, NOW)
    assert row(store, "i1.recovered.ops")["state"] == "dead"
    assert outbox.take("ops", NOW) == [("n1.ops", NOTICE)]


def test_a_backlog_is_taken_in_parts(outbox):
    for number in range(1_001):
        outbox.add(notice(id=f"n{number}", created_at=NOW), "ops")
    rows = [row_id for row_id, _ in outbox.take("ops", NOW)]
    assert len(rows) == 1_000
    assert outbox.settle(rows, SENT, NOW) == [AlertState.SENT] * 1_000
    assert [row_id for row_id, _ in outbox.take("ops", NOW)] == ["n1000.ops"]


def test_what_was_refused_or_not_taken_in_time_is_given_once_to_be_told_elsewhere(outbox):
    for name in ("refused", "slow", "fresh"):
        outbox.add(replace(NOTICE, id=name), name)
    outbox.take("refused", NOW)
    outbox.settle(["refused.refused"], REFUSED, NOW)
    outbox.take("slow", NOW)
    outbox.settle(["slow.slow"], RETRY, NOW)
    assert [channel for channel, _ in outbox.out_of_reach(NOW - seconds(1))] == ["refused"]
    assert outbox.is_out_of_reach(NOW - seconds(1)) is False
    assert outbox.is_out_of_reach(NOW) is True
    assert outbox.out_of_reach(NOW) == [("slow", replace(NOTICE, id="slow"))]
    assert outbox.out_of_reach(NOW) == []


def test_each_channel_has_its_own_next_try(outbox):
    assert outbox.next_tries() == {}
    outbox.add(OPENED, "ops")
    outbox.add(replace(NOTICE, created_at=NOW - minutes(1)), "ops")
    outbox.add(OPENED, "mail")
    assert outbox.next_tries() == {"ops": NOW - minutes(1), "mail": NOW}


def test_what_fails_is_tried_again_later_and_later(store, outbox):
    outbox.add(OPENED, "ops")
    now, waits = NOW, []
    for _ in range(12):
        assert outbox.take("ops", now) != []
        assert outbox.settle(["i1.opened.ops"], RETRY, now) == [AlertState.FAILED]
        (due,) = outbox.next_tries().values()
        assert outbox.take("ops", due - seconds(0.001)) == []
        waits.append((due - now).total_seconds())
        now = due
    for tries, wait in enumerate(waits):
        whole = min(300.0, 2.0**tries)
        assert whole / 2 <= wait <= whole
    assert row(store, "i1.opened.ops")["tries"] == 12
    assert row(store, "i1.opened.ops")["error"] == "503"


def test_channels_do_not_march_in_step(outbox):
    due = set()
    for name in ("a", "b", "c"):
        outbox.add(NOTICE, name)
        ((row_id, _),) = outbox.take(name, NOW)
        outbox.settle([row_id], RETRY, NOW)
        due.add(outbox.next_tries()[name])
    assert len(due) == 3


def test_the_channel_s_own_word_on_when_to_come_back_is_honoured(outbox):
    outbox.add(OPENED, "ops")
    outbox.take("ops", NOW)
    outbox.settle(["i1.opened.ops"], replace(RETRY, retry_after_s=77.0), NOW)
    assert outbox.next_tries() == {"ops": NOW + seconds(77)}


@pytest.mark.parametrize(
    ("after", "state"),
    [
        pytest.param(GIVE_UP_AFTER - seconds(1), AlertState.FAILED, id="just before"),
        pytest.param(GIVE_UP_AFTER, AlertState.DEAD, id="after a day"),
    ],
)
def test_it_is_given_up_after_a_day(outbox, after, state):
    outbox.add(OPENED, "ops")
    outbox.take("ops", NOW + after)
    assert outbox.settle(["i1.opened.ops"], RETRY, NOW + after) == [state]


def test_a_refusal_is_final(store, outbox):
    outbox.add(OPENED, "ops")
    outbox.take("ops", NOW)
    assert outbox.settle(["i1.opened.ops"], REFUSED, NOW) == [AlertState.DEAD]
    assert outbox.take("ops", NOW + minutes(600)) == []
    assert row(store, "i1.opened.ops")["error"] == "404 no_service"


def test_a_recovery_whose_opening_was_refused_is_dropped(store, outbox):
    for channel in ("ops", "mail"):
        outbox.add(OPENED, channel)
        outbox.add(RECOVERED, channel)
    rows = [row_id for row_id, _ in outbox.take("ops", NOW)]
    outbox.settle(rows, REFUSED, NOW)
    outbox.take("ops", NOW)
    outbox.settle(["i1.opened.ops"], REFUSED, NOW)
    outbox.supersede("i1.opened.ops")
    assert row(store, "i1.recovered.ops")["state"] == AlertState.SUPERSEDED
    assert row(store, "i1.recovered.mail")["state"] == AlertState.NEW
    assert outbox.take("ops", NOW) == []


def test_after_a_crash_what_was_being_sent_may_repeat(store, outbox):
    outbox.add(OPENED, "ops")
    outbox.add(NOTICE, "mail")
    outbox.take("ops", NOW)
    outbox.take("mail", NOW)
    assert outbox.recover(NOW + minutes(1)) == 2
    assert outbox.recover(NOW + minutes(1)) == 0
    assert outbox.take("ops", NOW) == []
    later = NOW + minutes(1)
    assert outbox.take("ops", later) == [("i1.opened.ops", replace(OPENED, may_repeat=True))]
    assert outbox.take("mail", later) == [("n1.mail", replace(NOTICE, may_repeat=True))]
    assert row(store, "n1.mail")["kind"] == "rejected"


def test_what_was_not_being_sent_does_not_repeat(outbox):
    outbox.add(OPENED, "ops")
    assert outbox.recover(NOW) == 0
    assert outbox.take("ops", NOW) == [("i1.opened.ops", OPENED)]


def test_the_channels_of_an_incident_are_those_that_heard_or_will_hear_of_it(outbox):
    for channel in ("ops", "mail", "pager"):
        outbox.add(OPENED, channel)
    outbox.add(alert(id="i2.opened", incident="i2", created_at=NOW), "other")
    outbox.take("ops", NOW)
    outbox.settle(["i1.opened.ops"], SENT, NOW)
    outbox.take("mail", NOW)
    outbox.settle(["i1.opened.mail"], REFUSED, NOW)
    assert outbox.channels_of("i1") == ("ops", "pager")


def test_a_notice_may_open_an_incident_too(outbox):
    for channel in ("ops", "mail"):
        outbox.add(BLIND, channel)
    outbox.add(NOTICE, "pager")
    outbox.take("mail", NOW)
    outbox.settle(["i9.opened.mail"], REFUSED, NOW)
    assert outbox.channels_of("i9") == ("ops",)
    assert outbox.take("ops", NOW) == [("i9.opened.ops", BLIND)]


def test_a_notice_of_the_end_of_an_incident_whose_opening_was_refused_is_dropped(store, outbox):
    for channel in ("ops", "mail"):
        outbox.add(BLIND, channel)
        outbox.add(SIGHTED, channel)
    rows = [row_id for row_id, _ in outbox.take("ops", NOW)]
    outbox.settle(rows, REFUSED, NOW)
    outbox.take("ops", NOW)
    outbox.settle(["i9.opened.ops"], REFUSED, NOW)
    outbox.supersede("i9.opened.ops")
    assert row(store, "i9.recovered.ops")["state"] == AlertState.SUPERSEDED
    assert row(store, "i9.recovered.mail")["state"] == AlertState.NEW
    assert outbox.take("ops", NOW) == []


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_of_any_kind_comes_back_as_it_was(outbox, kind):
    told = replace(NOTICE, kind=kind, incident="i9", may_repeat=True)
    outbox.add(told, "ops")
    assert outbox.take("ops", NOW) == [("n1.ops", told)]


def test_what_waits_for_a_channel_that_is_no_more_is_given_up(store, outbox):
    outbox.add(OPENED, "gone")
    outbox.add(NOTICE, "gone")
    outbox.add(OPENED, "ops")
    outbox.take("gone", NOW)
    outbox.settle(["i1.opened.gone"], SENT, NOW)
    outbox.bury("gone", "it left")
    assert row(store, "i1.opened.gone")["state"] == "sent"
    assert (row(store, "n1.gone")["state"], row(store, "n1.gone")["error"]) == ("dead", "it left")
    assert outbox.next_tries() == {"ops": NOW}
