"""From a configured channel to one that can send."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cronverifyd.errors import ConfigError
from cronverifyd.tell.console import ConsoleSender
from cronverifyd.tell.slack import SlackSender

if TYPE_CHECKING:
    from typing import TextIO

    from cronverifyd.model import Channel, Sender


def build(channel: Channel, url: str | None, console: TextIO) -> Sender:
    """Make the sender of a channel. `url`: its secret, already looked up; None for the console.

    `console`: the stream to which channels of that kind write.

    Raises ConfigError, with no word of the secret, where the channel cannot work.
    """
    if channel.kind == "console":
        return ConsoleSender(console)
    if channel.kind != "slack":
        raise ConfigError(
            f'channels.{channel.name}.kind: must be slack or console (got "{channel.kind}")'
        )
    if url is None or not _usable(url):
        raise ConfigError(
            f"channels.{channel.name}.url: must be an http(s) address",
            remedy="copy the webhook's address from Slack: https://hooks.slack.com/services/…",
        )
    return SlackSender(channel.name, url)


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https"} and url.isprintable()
