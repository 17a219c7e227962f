"""Incidents: at most one open a job, from its first bad slots until it heals.

Pending and unknown slots, and those in maintenance, neither break a row of slots nor count in it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from cronverifyd.model import AlertKind, Incident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronverifyd.model import Job, JudgedSlot

SHORT_WHILE = 10
"""Three openings within so many slots are flapping."""

_FLAPS = 3
_HOLDS = 10
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


@dataclass(frozen=True, slots=True)
class Recent:
    """A job's newest slots that count, newest first.

    `openings`: how many incidents began among the ten newest of them.
    """

    slots: Sequence[JudgedSlot]
    openings: int = 0


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
    row = job.tolerate + _MORE if job.tolerate else 1
    return max(job.recover_after + row, SHORT_WHILE + 1)


def step(
    incident: Incident | None,
    judged: JudgedSlot,
    recent: Recent,
    job: Job,
    now: datetime,
) -> Change | None:
    """Say what a slot's verdict does to its job's open incident; None: nothing.

    With the third one in a short while it is flapping: it is told as such, and closes when ten
    slots in a row are good.

    A bad slot opens one when more than `tolerate` in a row are bad, or joins it; a slot that has
    done so does nothing more. A good one closes it when `recover_after` in a row are good since the
    newest bad one, or at once when it is itself that newest bad one, made good.
    """
    if not matters(incident, judged):
        return None
    if incident is not None and judged.judgment.verdict.good:
        return _healed(incident, judged, recent.slots, job, now)
    if incident is not None:
        return Change(incident=_joined(incident, [judged]), joined=(judged,))
    row = _bad_row(judged, recent.slots)
    if len(row) <= job.tolerate:
        return None
    incident = _opened(row, now)
    if recent.openings + 1 < _FLAPS:
        return Change(incident=incident, tells=AlertKind.OPENED, joined=tuple(row))
    incident = replace(incident, flapping=True)
    return Change(incident=incident, tells=AlertKind.FLAPPING, joined=tuple(row))


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
    since = (each.judgment.verdict.good for each in recent if each.slot.at > last_bad)
    good = max((len(list(row)) for is_good, row in groupby(since) if is_good), default=0)
    by_hand = judged.slot.at == incident.last_bad_slot and not incident.flapping
    if not by_hand and good < _wanted(incident, job):
        return None
    tells = AlertKind.RECOVERED if incident.announced else None
    return Change(incident=closed(incident, "healed", now), tells=tells)


def _wanted(incident: Incident, job: Job) -> int:
    """Say how many good slots in a row close an incident."""
    return max(job.recover_after, _HOLDS) if incident.flapping else job.recover_after


def next_reminder(incident: Incident, ladder: Sequence[timedelta]) -> datetime | None:
    """Say when an open incident is told again; after the ladder its last step is repeated.

    None: not at all; nobody is reminded of one that is flapping, or that somebody knows of.
    """
    is_told = incident.announced or incident.cause is not None
    if not ladder or incident.closed_at is not None or incident.acked_at is not None:
        return None
    if not is_told or incident.flapping:
        return None
    beyond = max(0, incident.reminders - len(ladder) + 1)
    step_after = ladder[min(incident.reminders, len(ladder) - 1)]
    return incident.opened_at + step_after + beyond * ladder[-1]


def reminded(incident: Incident, ladder: Sequence[timedelta], now: datetime) -> Incident:
    """Count the reminders that are due, however many: they are told as one."""
    while (at := next_reminder(incident, ladder)) is not None and at <= now:
        incident = replace(incident, reminders=incident.reminders + 1)
    return incident


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
