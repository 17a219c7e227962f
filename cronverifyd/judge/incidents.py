"""Incidents: at most one open a job, from its first bad slots until it heals.

`recent`, in all of this module: the job's newest slots that count, newest first. Pending and
unknown ones and those in maintenance do not; they neither break a row nor count in it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cronverifyd.model import AlertKind, Incident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronverifyd.model import Job, JudgedSlot

_CLOCKS_DIFFER = timedelta(seconds=60)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MORE = 32
"""A row of bad slots that was found late may be as much longer than what has to be looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What becomes of an incident. `joined`: the slots that belong to it from now on."""

    incident: Incident
    tells: AlertKind | None = None
    joined: tuple[JudgedSlot, ...] = ()


def counts(judged: JudgedSlot) -> bool:
    """Say whether a slot counts in a row of good or bad ones."""
    verdict = judged.judgment.verdict
    return (verdict.good or verdict.bad) and not judged.quiet


def matters(incident: Incident | None, judged: JudgedSlot) -> bool:
    """Say whether a slot's verdict can do anything to its job's open incident (None: none is)."""
    if not counts(judged):
        return False
    return incident is not None if judged.judgment.verdict.good else judged.incident is None


def inherited(before: JudgedSlot | None, incident: Incident | None) -> str | None:
    """Say which incident a slot with a new verdict belongs to already.

    `before`: the slot until now; `incident`: the open one. A slot that was good in between, and
    whose incident is over, is news when it is bad again.
    """
    if before is None:
        return None
    is_over = incident is None or before.incident != incident.id
    return None if before.judgment.verdict.good and is_over else before.incident


def needed(job: Job) -> int:
    """Say how many of the recent slots `step` has to be given."""
    return job.recover_after + (job.tolerate + _MORE if job.tolerate else 1)


def step(
    incident: Incident | None,
    judged: JudgedSlot,
    recent: Sequence[JudgedSlot],
    job: Job,
    now: datetime,
) -> Change | None:
    """Say what a slot's verdict does to its job's open incident; None: nothing.

    A bad slot opens one when more than `tolerate` in a row are bad, or joins it; a slot that has
    done so does nothing more. A good one closes it when `recover_after` in a row are good since the
    newest bad one, or at once when it is itself that newest bad one, made good.
    """
    if not matters(incident, judged):
        return None
    if incident is not None and judged.judgment.verdict.good:
        return _healed(incident, judged, recent, job, now)
    if incident is not None:
        return Change(incident=_joined(incident, [judged]), joined=(judged,))
    row = _bad_row(judged, recent)
    if len(row) <= job.tolerate:
        return None
    return Change(incident=_opened(row, now), tells=AlertKind.OPENED, joined=tuple(row))


def closed(incident: Incident, reason: str, now: datetime) -> Incident:
    """Close an incident. `reason`: healed, disabled or removed."""
    return replace(incident, closed_at=now, close_reason=reason)


def _healed(
    incident: Incident, judged: JudgedSlot, recent: Sequence[JudgedSlot], job: Job, now: datetime
) -> Change | None:
    last_bad = incident.last_bad_slot
    if last_bad > now + _CLOCKS_DIFFER:
        # A clock that was wrong has judged it; it must not outlive every good slot until then.
        last_bad = incident.first_slot if incident.first_slot <= now else _LONG_AGO
    good = sum(s.slot.at > last_bad and s.judgment.verdict.good for s in recent)
    if judged.slot.at != incident.last_bad_slot and good < job.recover_after:
        return None
    tells = AlertKind.RECOVERED if incident.announced else None
    return Change(incident=closed(incident, "healed", now), tells=tells)


def _bad_row(judged: JudgedSlot, recent: Sequence[JudgedSlot]) -> list[JudgedSlot]:
    """Find the bad slots in a row among which a bad slot is, oldest first."""
    row: list[JudgedSlot] = []
    for each in recent:
        if each.judgment.verdict.bad and each.incident is None:
            row.append(each)
        elif each.slot.at > judged.slot.at:
            row.clear()
        else:
            break
    return row[::-1] or [judged]


def _opened(row: Sequence[JudgedSlot], now: datetime) -> Incident:
    job, first = row[0].slot.job, row[0].slot.at
    return Incident(
        id=short_id(job, first, now),
        job=job,
        opened_at=now,
        first_slot=first,
        last_bad_slot=row[-1].slot.at,
        slots=len(row),
    )


def _joined(incident: Incident, joined: Sequence[JudgedSlot]) -> Incident:
    instants = [judged.slot.at for judged in joined]
    return replace(
        incident,
        first_slot=min(incident.first_slot, *instants),
        last_bad_slot=max(incident.last_bad_slot, *instants),
        slots=incident.slots + len(joined),
    )


def short_id(job: str, slot: datetime, now: datetime) -> str:
    """Make an id that a person can type: eight characters, the same for the same opening."""
    text = f"{job}\0{slot.isoformat()}\0{now.isoformat()}"
    digest = hashlib.blake2b(text.encode(), digest_size=5).digest()
    return base64.b32encode(digest).decode().lower()
