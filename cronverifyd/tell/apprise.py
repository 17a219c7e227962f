"""The hundred others, through the library Apprise, which is an extra."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cronverifyd.errors import ConfigError
from cronverifyd.model import Delivery, DeliveryResult, Severity
from cronverifyd.tell.console import lay_out
from cronverifyd.tell.story import story_of
from cronverifyd.tell.text import inert

if TYPE_CHECKING:
    from apprise import Apprise

    from cronverifyd.model import Message
    from cronverifyd.tell.story import Story

_TYPES = {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}


def render(story: Story) -> tuple[str, str]:
    """Give the title and the text; nobody is mentioned, and no address but the runbook's links."""
    title, text = inert(story.title), inert(lay_out(story))
    if story.runbook:
        text = text.replace(inert(story.runbook), story.runbook)
    return title, text


class AppriseSender:
    """One Apprise URL. It is a secret: no error bears more of it than the service's name."""

    def __init__(self, channel: str, url: str) -> None:
        self._service = _service(channel, url)
        self._scheme = url.partition("://")[0]

    def send(self, message: Message) -> Delivery:
        """Send one message and say what came of it; raise nothing."""
        story = story_of(message)
        title, text = render(story)
        kind = "success" if story.good else _TYPES[story.severity]
        try:
            taken = self._service.notify(
                body=text, title=title, notify_type=kind, body_format="text"
            )
        except Exception as error:  # noqa: BLE001 (the code of some hundred services runs in there)
            return self._failed(f"failed ({type(error).__name__})")
        if not taken:
            return self._failed("did not take it")
        return Delivery(result=DeliveryResult.SENT, receipt=f"taken by {self._scheme}")

    def _failed(self, what: str) -> Delivery:
        error = f"Apprise's service {self._scheme} {what}"
        return Delivery(result=DeliveryResult.RETRY, error=error)


def _service(channel: str, url: str) -> Apprise:
    """Make the service of a URL. Its requests end after 4 s each, unless the URL says otherwise.

    Raises ConfigError where Apprise is not installed, or knows no such URL.
    """
    try:
        import apprise  # noqa: PLC0415 (an extra, which costs those who do not use it nothing)
    except ImportError:
        raise ConfigError(
            f"channels.{channel}.kind: apprise is not installed",
            remedy="pip install 'cronverifyd[apprise]'",
        ) from None
    logging.getLogger("apprise").disabled = True  # it logs parts of the URL
    service = apprise.Apprise()
    if not service.add(url):
        raise ConfigError(
            f"channels.{channel}.url: is no URL that Apprise knows",
            remedy="find your service's form of it: https://appriseit.com/services/",
        )
    return service
