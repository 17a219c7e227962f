"""The heartbeat: somebody off this host hears that the chain holds, or why it does not.

Healthchecks and its like are pinged so: a GET of the address itself while all is well, a POST with
`/fail` after it, and the reasons as body, where something is not. The addresses of Uptime Kuma
(`/api/push/KEY`) take a GET with a status and a message as parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.tell.post import TIMEOUTS_S, Postbox, Session
from cronverifyd.tell.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import requests

_KUMA = "/api/push/"
_REASON = 900


class Heartbeat:
    """One address; it is a secret, so no Delivery bears more of it than the host's name."""

    def __init__(
        self,
        url: str,
        session: Callable[[], requests.Session] = Session,
        timeouts_s: tuple[float, float] = TIMEOUTS_S,
    ) -> None:
        self._url = url
        self._session = session
        self._timeouts_s = timeouts_s

    def beat(self, faults: Sequence[str]) -> str | None:
        """Say that all is proven, or what is not; give what went wrong with that, or None."""
        reason = one_line("; ".join(faults), _REASON)
        postbox = Postbox(address(self._url, reason), self._session, self._timeouts_s)
        if not reason or _KUMA in urlsplit(self._url).path:
            return _error(postbox.get())
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return _error(postbox.post_bytes(reason.encode(), headers))


def address(url: str, reason: str) -> str:
    """Give the address for good news (no reason) or bad."""
    parts = urlsplit(url)
    if _KUMA in parts.path:
        said = {"status": "down" if reason else "up", "msg": reason or "OK"}
        return urlunsplit(parts._replace(query=urlencode(said)))
    if not reason:
        return url
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


def _error(delivery: Delivery) -> str | None:
    if delivery.result is DeliveryResult.SENT:
        return None
    return delivery.error or "it was not taken"
