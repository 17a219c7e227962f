"""What of the chain from a job's line to people is not proven to hold."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge.duration import format_duration
from cronverifyd.model import BLIND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cronverifyd.model import Volume
    from cronverifyd.scope import Scope
    from cronverifyd.store.reader import Reader

CANARY = "canary"
"""The link from the wrapper to the database, as a run that was asked for shows it."""

PROVEN_FOR = timedelta(days=8)
"""A channel is proven for so long after it took a message; a drill comes every week."""

OUTBOX_YOUNG = timedelta(minutes=5)
CANARY_FRESH = timedelta(minutes=16)
"""It is sent every 5 minutes; three may be late."""


def unproven(
    scope: Scope, reader: Reader, now: datetime, volumes: Sequence[Volume] = ()
) -> tuple[str, ...]:
    """Say, in a sentence each, which links are not proven; nothing: the chain holds.

    `volumes`: the file systems of the state and of the outcome files, as last looked at.
    """
    return (
        *_channels(scope, reader, now),
        *_waiting(reader, now),
        *_sight(reader),
        *_canary(scope, reader, now),
        *_disks(volumes),
    )


def _channels(scope: Scope, reader: Reader, now: datetime) -> Iterator[str]:
    took, refused = reader.last_deliveries(), reader.last_refusals()
    for name in scope.channels:
        at, dead = took.get(name), refused.get(name)
        if at is None:
            yield f"channel {name} has taken no message yet (cronverifyd drill sends one)"
        elif dead is not None and dead > at:
            yield f"channel {name} has refused its last message"
        elif now - at > PROVEN_FOR:
            yield f"channel {name} has taken no message for {_ago(at, now)}"


def _waiting(reader: Reader, now: datetime) -> Iterator[str]:
    for name, since in reader.waiting_since().items():
        if now - since > OUTBOX_YOUNG:
            yield f"channel {name} has not taken a message for {_ago(since, now)}"


def _sight(reader: Reader) -> Iterator[str]:
    if BLIND in reader.open_incidents():
        yield "outcome files cannot be seen"


def _canary(scope: Scope, reader: Reader, now: datetime) -> Iterator[str]:
    """Only where somebody listens to the heartbeat a canary is sent."""
    if scope.heartbeat is None:
        return
    signs = reader.signs()
    at, _ = signs.get(CANARY, (None, ""))
    _, fault = signs.get(f"{CANARY} fault", (None, ""))
    why = f": {fault}" if fault else ""
    if at is None:
        yield f"no run of the wrapper has come through yet{why}"
    elif now - at > CANARY_FRESH:
        yield f"no run of the wrapper has come through for {_ago(at, now)}{why}"


def _disks(volumes: Sequence[Volume]) -> Iterator[str]:
    for volume in volumes:
        if any(span.until is None for span in volume.full):
            yield f"the disk of {volume.path} is full"
        if any(span.until is None for span in volume.read_only):
            yield f"the file system of {volume.path} is read-only"


def _ago(at: datetime, now: datetime) -> str:
    return format_duration((now - at).total_seconds())
