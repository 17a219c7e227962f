"""Who may pull the trigger."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from cronverifyd.cue import signature
from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from werkzeug.datastructures import Headers


class Doors:
    """The secrets that let a request in: CueAPI's signing secrets, and one shared secret or None.

    Raises ConfigError where there is no secret, or an empty one: it would let everybody in.
    """

    def __init__(self, signing_secrets: tuple[str, ...], shared_secret: str | None) -> None:
        secrets = [*signing_secrets, *([] if shared_secret is None else [shared_secret])]
        if not secrets:
            raise ConfigError("the trigger has no secret: anybody could pull it")
        if not all(secret.strip() for secret in secrets):
            raise ConfigError("a secret of the trigger is empty: anybody could pull it")
        self._signing = signing_secrets
        self._shared = shared_secret

    def admits(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Say whether the request is signed by CueAPI or bears the shared secret.

        Both are looked at in any case, so that the time tells nothing. A header that stands twice
        counts as missing.
        """
        signed = signature.verify(
            self._signing,
            signature=_only(headers, "X-CueAPI-Signature"),
            timestamp=_only(headers, "X-CueAPI-Timestamp"),
            body=body,
            now=now,
        )
        return self._shares(_only(headers, "X-Cue-Secret")) or signed

    def _shares(self, given: str | None) -> bool:
        if self._shared is None or given is None:
            return False
        return hmac.compare_digest(_sent(given), self._shared.encode())


def _only(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _sent(value: str) -> bytes:
    """Give a header's bytes as they were sent: WSGI hands them over as Latin-1 (PEP 3333)."""
    return value.encode("latin-1", "backslashreplace")
