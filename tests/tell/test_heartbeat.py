"""The heartbeat against a real receiver, and the addresses it goes to."""

import pytest

from cronverifyd.tell.heartbeat import Heartbeat, address
from tests.tell.receiver import receiving, says

PING = "https://hc.example.com/ping/abc?rid=1"
KUMA = "https://kuma.example.com/api/push/abc?status=up&msg=OK&ping="


@pytest.mark.parametrize(
    ("url", "reason", "asked"),
    [
        pytest.param(PING, "", PING, id="all is well"),
        pytest.param(
            PING, "disk full", "https://hc.example.com/ping/abc/fail?rid=1", id="it is not"
        ),
        pytest.param(
            "https://hc.example.com/ping/abc/",
            "x",
            "https://hc.example.com/ping/abc/fail",
            id="a slash at the end",
        ),
        pytest.param(
            KUMA, "", "https://kuma.example.com/api/push/abc?status=up&msg=OK", id="Kuma, well"
        ),
        pytest.param(
            KUMA,
            "disk full & more",
            "https://kuma.example.com/api/push/abc?status=down&msg=disk+full+%26+more",
            id="Kuma, not well",
        ),
    ],
)
def test_it_goes_where_each_service_wants_it(url, reason, asked):
    assert address(url, reason) == asked


def test_good_news_and_bad_arrive():
    with receiving() as receiver:
        receiver.answers = {"/ping/abc": says(200), "/ping/abc/fail": says(200)}
        heart = Heartbeat(receiver.url("/ping/abc"))
        assert heart.beat(()) is None
        assert heart.beat(("the disk of /data is full", "no run has come through")) is None
        assert receiver.received == [
            ("/ping/abc", None),
            ("/ping/abc/fail", "the disk of /data is full; no run has come through"),
        ]


def test_what_is_not_taken_says_so_without_the_address():
    with receiving() as receiver:
        receiver.answers["/ping/very-secret"] = says(404)
        error = Heartbeat(receiver.url("/ping/very-secret")).beat(())
    assert error.startswith("127.0.0.1 answered 404")
    assert "very-secret" not in error
