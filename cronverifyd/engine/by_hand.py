"""What people do by hand: say that they know, ask for silence, or for a drill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cronverifyd.errors import CronverifydError, UnknownJobError
from cronverifyd.model import (
    Acknowledge,
    Acknowledged,
    Drill,
    Mute,
    Silence,
    Silenced,
    Unsilence,
)

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.engine.drills import Drills
    from cronverifyd.engine.teller import Teller
    from cronverifyd.model import Incident, Request
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

LONGEST_MUTE = timedelta(days=30)


class ByHand:
    """Does what the control socket asks for. Everything belongs into a transaction.

    What is at hand of incidents elsewhere has to be read again afterwards.
    """

    def __init__(self, scope: Scope, store: Store, teller: Teller, drills: Drills) -> None:
        self._drills = drills
        self._scope = scope
        self._store = store
        self._teller = teller

    def do(self, request: Request[Any], now: datetime) -> object:
        """Do it and give the answer. Raises CronverifydError, with a remedy, where it cannot be."""
        match request:
            case Acknowledge():
                return self._acknowledge(request, now)
            case Silence():
                return self._silence(request, now)
            case Unsilence():
                self._known(request.job)
                return Silenced(mute=self._teller.unmute(request.job, now, request.who))
            case Drill():
                return self._drills.expect(request, now)
            case _:
                raise TypeError(f"nobody knows what to do with {type(request).__name__}")

    def _acknowledge(self, request: Acknowledge, now: datetime) -> Acknowledged:
        known = self._store.open_incidents()
        known |= {incident.id: incident for incident in known.values()}
        for name in request.names:
            if name not in known:
                self._refuse(name)
        acked = tuple(self._ack(known[name], request.who, now) for name in request.names)
        return Acknowledged(incidents=acked)

    def _ack(self, incident: Incident, who: str, now: datetime) -> Incident:
        if incident.acked_at is None:
            incident = replace(incident, acked_at=now)
            self._store.save_incident(incident)
            self._store.note("ack", now, incident=incident.id, job=incident.job, who=who)
        return incident

    def _refuse(self, name: str) -> None:
        if name in self._scope.jobs:
            what = f"{name} has no open incident: there is nothing to acknowledge"
            raise CronverifydError(what, remedy="cronverifyd status shows what is open")
        raise UnknownJobError(
            f'no job and no open incident "{name}"', remedy="cronverifyd status lists both"
        )

    def _silence(self, request: Silence, now: datetime) -> Silenced:
        self._known(request.job)
        if not 0 < request.for_s <= LONGEST_MUTE.total_seconds():
            what = f"a mute lasts longer than nothing and at most {LONGEST_MUTE.days} days"
            raise CronverifydError(what, remedy="enabled = false in [jobs.NAME] stops the watch")
        mute = Mute(
            job=request.job,
            since=now,
            until=now + timedelta(seconds=request.for_s),
            who=request.who,
            reason=request.reason,
        )
        return Silenced(mute=self._teller.mute(mute))

    def _known(self, job: str | None) -> None:
        if job is not None and job not in self._scope.jobs:
            raise UnknownJobError(
                f'no job "{job}" in the configuration', remedy="cronverifyd status lists the jobs"
            )
