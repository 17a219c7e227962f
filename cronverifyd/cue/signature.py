"""CueAPI's signature over a delivery: `v1=` and the HMAC-SHA256 of `timestamp.body`.

The key is the whole text of the secret, `whsec_` included. Headers are not signed.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

# Older or newer than this, a delivery may be a replay (CueAPI's documentation).
TOLERANCE_S = 300.0

_TIMESTAMP_DIGITS = 12


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Make the signature that CueAPI would send with a body."""
    message = _bytes(timestamp) + b"." + body
    return "v1=" + hmac.new(_bytes(secret), message, hashlib.sha256).hexdigest()


def verify(
    secrets: Sequence[str],
    *,
    signature: str | None,
    timestamp: str | None,
    body: bytes,
    now: datetime,
) -> bool:
    """Say whether one of the secrets signed the body, at most 300 s before or after `now`.

    An empty secret signs nothing. All secrets are tried whichever fits: the time that it takes
    tells nobody which one did.
    """
    if not signature or not timestamp or not _recent(timestamp, now):
        return False
    given = _bytes(signature)
    fits = [
        hmac.compare_digest(_bytes(sign(secret, timestamp, body)), given)
        for secret in secrets
        if secret
    ]
    return any(fits)


def _recent(timestamp: str, now: datetime) -> bool:
    digits = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _TIMESTAMP_DIGITS
    return digits and abs(now.timestamp() - int(timestamp)) <= TOLERANCE_S


def _bytes(text: str) -> bytes:
    """Encode any str, lone surrogates too, so that no header can raise."""
    return text.encode("utf-8", "surrogatepass")
