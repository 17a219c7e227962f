"""From a configured channel to one that can send."""

import io

import pytest

from cronverifyd.errors import ConfigError
from cronverifyd.model import Channel, Secret
from cronverifyd.tell.console import render
from cronverifyd.tell.senders import build
from cronverifyd.tell.slack import SlackSender
from tests.tell.builders import notice

SLACK = Channel(name="ops", kind="slack", url=Secret(place="channels.ops.url", env="X"))


def test_a_console_needs_no_address_and_writes_to_the_stream_given():
    stream = io.StringIO()
    build(Channel(name="here", kind="console"), None, stream).send(notice())
    assert stream.getvalue() == render(notice())


@pytest.mark.parametrize(
    "url", ["https://hooks.slack.com/services/T/B/x", "http://127.0.0.1:9000/hook"]
)
def test_slack_needs_an_address(url):
    assert isinstance(build(SLACK, url, io.StringIO()), SlackSender)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("hooks.slack.com/services/T/B/hidden", id="no scheme"),
        pytest.param("ftp://hooks.slack.com/hidden", id="another scheme"),
        pytest.param("https:///services/hidden", id="no host"),
        pytest.param("https://[::1/hidden", id="half an address"),
        pytest.param("https://hooks.slack.com:x/hidden", id="port is a word"),
        pytest.param("https://hooks.slack.com/hidden\n", id="a line end"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_showing_it(url):
    with pytest.raises(ConfigError, match=r"^channels\.ops\.url: must be") as caught:
        build(SLACK, url, io.StringIO())
    assert "hidden" not in str(caught.value)


def test_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match=r'channels\.ops\.kind: .* \(got "pager"\)'):
        build(Channel(name="ops", kind="pager"), None, io.StringIO())
