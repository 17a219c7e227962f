"""A web address of the operator's own: a signed POST of JSON."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

from cronverifyd.tell.document import encoded
from cronverifyd.tell.post import TIMEOUTS_S, Postbox, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import requests

    from cronverifyd.model import Delivery, Message


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Sign `timestamp.body` with HMAC-SHA256. `timestamp`: epoch seconds."""
    signed = f"{timestamp}.".encode() + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class WebhookSender:
    """One address. `secret` None: its messages are not signed. `clock`: tells when one is sent."""

    def __init__(
        self,
        url: str,
        secret: str | None,
        clock: Callable[[], datetime],
        session: Callable[[], requests.Session] = Session,
        timeouts_s: tuple[float, float] = TIMEOUTS_S,
    ) -> None:
        self._postbox = Postbox(url, session, timeouts_s)
        self._secret = secret
        self._clock = clock

    def send(self, message: Message) -> Delivery:
        """Post one message and say what came of it; raise nothing."""
        body = encoded(message)
        # A notice's id may bear the path of a file, which may be any text.
        key = {"Idempotency-Key": quote(message.id, errors="replace")}
        return self._postbox.post_bytes(body, {**key, **self._signature(body)})

    def _signature(self, body: bytes) -> Mapping[str, str]:
        if self._secret is None:
            return {}
        timestamp = int(self._clock().timestamp())
        return {
            "X-Cronverify-Timestamp": str(timestamp),
            "X-Cronverify-Signature": sign(self._secret, timestamp, body),
        }
