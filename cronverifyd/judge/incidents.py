"""Incidents: at most one open a job, from its first bad slot until it heals."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cronverifyd.model import AlertKind, Incident, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.model import JudgedSlot


def step(
    incident: Incident | None, before: Verdict | None, judged: JudgedSlot, now: datetime
) -> tuple[Incident | None, AlertKind | None]:
    """Say what a slot's new verdict does to the job's open incident, and what has to be told.

    `incident`: the open one, or None. `before`: the slot's verdict until now, None for a new slot.
    A bad slot opens an incident or joins it; a good slot closes it unless a newer one is bad;
    a pending one changes nothing.
    """
    verdict, at = judged.judgment.verdict, judged.slot.at
    if verdict.bad:
        if incident is None:
            return _opened(judged, now), AlertKind.OPENED
        return _joined(incident, judged, new=before is None or not before.bad), None
    if incident is None or not verdict.good or at < incident.last_bad_slot:
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


def _joined(incident: Incident, judged: JudgedSlot, *, new: bool) -> Incident:
    return replace(
        incident,
        last_bad_slot=max(incident.last_bad_slot, judged.slot.at),
        slots=incident.slots + (1 if new else 0),
    )


def _short_id(job: str, slot: datetime, now: datetime) -> str:
    """Make an id that a person can type: eight characters, the same for the same opening."""
    text = f"{job}\0{slot.isoformat()}\0{now.isoformat()}"
    digest = hashlib.blake2b(text.encode(), digest_size=5).digest()
    return base64.b32encode(digest).decode().lower()
