"""Incidents: at most one open a job, from its first bad slot until it heals."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.model import AlertKind, Incident, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.model import JudgedSlot

_CLOCKS_DIFFER = timedelta(seconds=60)


def step(
    incident: Incident | None, before: Verdict | None, judged: JudgedSlot, now: datetime
) -> tuple[Incident | None, AlertKind | None]:
    """Say what a slot's new verdict does to the job's open incident, and what has to be told.

    `incident`: the open one, or None. `before`: the slot's verdict until now, None for a new slot.
    A bad slot opens an incident or joins it; one that was bad before has done so, and was told.
    A good slot closes it unless a newer one is bad; a pending one changes nothing.
    """
    verdict = judged.judgment.verdict
    if verdict.bad:
        if before is not None and before.bad:
            return incident, None
        if incident is None:
            return _opened(judged, now), AlertKind.OPENED
        return _joined(incident, judged.slot.at), None
    if incident is None or not verdict.good or _outweighs(incident, judged.slot.at, now):
        return incident, None
    return closed(incident, "healed", now), AlertKind.RECOVERED if incident.announced else None


def closed(incident: Incident, reason: str, now: datetime) -> Incident:
    """Close an incident. `reason`: healed, disabled or removed."""
    return replace(incident, closed_at=now, close_reason=reason)


def _opened(judged: JudgedSlot, now: datetime) -> Incident:
    job, at = judged.slot.job, judged.slot.at
    return Incident(
        id=_short_id(job, at, now),
        job=job,
        opened_at=now,
        first_slot=at,
        last_bad_slot=at,
        slots=1,
    )


def _outweighs(incident: Incident, at: datetime, now: datetime) -> bool:
    """Say whether a bad slot newer than `at` keeps an incident open.

    A slot of the future does not: a line with a wrong clock would keep it open until then.
    """
    return at < incident.last_bad_slot <= now + _CLOCKS_DIFFER


def _joined(incident: Incident, at: datetime) -> Incident:
    """Add a bad slot. A late start makes a missed slot pending; it counts once all the same."""
    counted = at in {incident.first_slot, incident.last_bad_slot}
    return replace(
        incident,
        first_slot=min(incident.first_slot, at),
        last_bad_slot=max(incident.last_bad_slot, at),
        slots=incident.slots + (0 if counted else 1),
    )


def _short_id(job: str, slot: datetime, now: datetime) -> str:
    """Make an id that a person can type: eight characters, the same for the same opening."""
    text = f"{job}\0{slot.isoformat()}\0{now.isoformat()}"
    digest = hashlib.blake2b(text.encode(), digest_size=5).digest()
    return base64.b32encode(digest).decode().lower()
