"""From a configured channel to one that can send."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cronverifyd.errors import ConfigError
from cronverifyd.model import Tls
from cronverifyd.tell.apprise import AppriseSender
from cronverifyd.tell.command import CommandSender
from cronverifyd.tell.console import ConsoleSender
from cronverifyd.tell.mail import MailSender
from cronverifyd.tell.post import is_loopback
from cronverifyd.tell.slack import SlackSender
from cronverifyd.tell.webhook import WebhookSender

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import TextIO

    from cronverifyd.model import Channel, Mail, Secret, Sender

    LookUp = Callable[[Secret], str]

_SLACK = "copy the webhook's address from Slack: https://hooks.slack.com/services/…"
_WEBHOOK = "name the address that takes the messages: https://…"
_APPRISE = "name the service's address, as Apprise writes it: https://appriseit.com/services/"


def build(
    channel: Channel, look_up: LookUp, console: TextIO, clock: Callable[[], datetime]
) -> Sender:
    """Make the sender of a channel.

    `look_up`: gives the value of a secret, or raises ConfigError. `console`: the stream to which
    channels of that kind write. `clock`: tells when a message is signed.

    Raises ConfigError, with no word of a secret, where the channel cannot work.
    """
    match channel.kind:
        case "console":
            return ConsoleSender(console)
        case "slack":
            return SlackSender(channel.name, _address(channel, look_up, _SLACK))
        case "webhook":
            secret = look_up(channel.secret) if channel.secret else None
            return WebhookSender(_address(channel, look_up, _WEBHOOK), secret, clock)
        case "command" if channel.command:
            return CommandSender(channel.command, channel.timeout_s)
        case "email" if channel.mail:
            return _mail(channel.name, channel.mail, look_up)
        case "apprise":
            return AppriseSender(channel.name, _url(channel, look_up, _APPRISE))
        case kind:
            raise ConfigError(f"channels.{channel.name}: a {kind} channel cannot be made of this")


def _mail(channel: str, mail: Mail, look_up: LookUp) -> MailSender:
    if mail.password is None:
        return MailSender(mail, None)
    password = look_up(mail.password)
    if not password.isascii():  # SMTP could carry it (RFC 4954), smtplib cannot
        raise ConfigError(f"channels.{channel}.password: must be ASCII")
    if mail.server and mail.tls is Tls.NONE and not is_loopback(mail.server[0]):
        raise ConfigError(f"channels.{channel}.tls: the password would be sent unencrypted")
    return MailSender(mail, password)


def _url(channel: Channel, look_up: LookUp, remedy: str) -> str:
    if channel.url is None:
        raise ConfigError(f"channels.{channel.name}.url: missing", remedy=remedy)
    return look_up(channel.url)


def _address(channel: Channel, look_up: LookUp, remedy: str) -> str:
    url = _url(channel, look_up, remedy)
    if not usable(url):
        raise ConfigError(f"channels.{channel.name}.url: must be an http(s) address", remedy=remedy)
    return url


def usable(url: str) -> bool:
    """Say whether an address can be posted to."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https"} and url.isprintable()
