"""`alerts`: what was sent, and what was not."""

import pytest

from cronverifyd.model import Delivery, DeliveryResult
from tests.builders import finished

RETRY = Delivery(result=DeliveryResult.RETRY, error="hooks.example.com answered 503")
REFUSED = Delivery(result=DeliveryResult.REFUSED, error="hooks.example.com answered 404")
KEYS = {
    *("id", "incident", "job", "kind", "channel", "state", "tries"),
    *("created_at", "next_try", "sent_at", "receipt", "error"),
}


def failing(place, **given):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look("03:11", finished("03:10", "failed"), **given)
    return here


def test_what_was_sent_is_shown_with_its_receipt(place, cli):
    here = failing(place)
    here.look("03:31", finished("03:30", run_id="r2"))
    recovered, opened = cli("alerts", "--json", "--config", here.config).json["alerts"]
    assert opened.keys() == KEYS
    assert (opened["job"], opened["kind"], opened["state"], opened["tries"]) == (
        "db-backup",
        "opened",
        "sent",
        1,
    )
    assert opened["sent_at"] == "2024-05-15T03:11:00+00:00"
    assert (recovered["kind"], recovered["incident"]) == ("recovered", opened["incident"])


@pytest.mark.parametrize(("delivery", "state"), [(RETRY, "failed"), (REFUSED, "dead")])
def test_what_was_not_says_why_and_when_it_is_tried_again(place, cli, delivery, state):
    here = failing(place, delivery=delivery)
    (row,) = cli("alerts", "--undelivered", "--json", "--config", here.config).json["alerts"]
    assert (row["state"], row["error"]) == (state, delivery.error)
    assert (row["next_try"] is None) is (state == "dead")
    shown = cli("alerts", "--config", here.config, now="03:20").out
    assert "hooks.example.com answered" in shown
    assert "tried 1 time" in shown


def test_where_all_was_delivered_it_says_so(place, cli):
    done = cli("alerts", "--undelivered", "--config", failing(place).config)
    assert (done.code, done.out) == (0, "everything was delivered\n")
