"""What the host says when jobs go wrong, and the incident of a cron that is not running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.judge.causes import BadSlot, cause_of, cron_dead
from cronverifyd.judge.host_words import sentences
from cronverifyd.judge.incidents import closed, short_id
from cronverifyd.model import CRON, Incident

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.engine.lost import Host
    from cronverifyd.model import Cause, HostFacts, JudgedSlot, Notice, Run
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store


class Causes:
    """The facts of the last look at the host, and the one incident that they can open.

    A dead cron is told when it is certain, without waiting for the deadlines of its jobs.
    """

    def __init__(self, scope: Scope, store: Store, host: Host) -> None:
        self._scope = scope
        self._store = store
        self._host = host
        self._facts: HostFacts | None = None
        self._incident: Incident | None = None
        self._dead: Cause | None = None
        self._down: tuple[datetime, datetime] | None = None

    def begin(self) -> None:
        """Find out whether the host was down since the last look at the files."""
        last_sign = max((mark.looked_at for mark in self._store.marks()), default=None)
        if last_sign is not None and self._host.boot not in self._store.boots():
            self._down = last_sign, self._host.booted_at

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        self._incident = self._store.open_incidents().get(CRON)

    def look(self, now: datetime) -> None:
        """Look at the host."""
        self._facts = self._host.look(now, (str(self._scope.state_dir), *self._scope.outcomes))
        self._dead = cron_dead(self._facts, self._scope.watched())

    def says(self, zone: str) -> tuple[str, ...]:
        """Say what the host is like, in sentences."""
        return () if self._facts is None else tuple(sentences(self._facts, zone))

    def cause(self, judged: JudgedSlot, run: Run | None) -> str | None:
        """Name what the host can prove to have made a slot bad, in a sentence.

        It is the same for all jobs, so its times are in UTC.
        """
        if self._facts is None:
            return None
        words = (run.error, run.output_tail) if run else ()
        bad = BadSlot(
            job=judged.slot.job,
            slot=judged.slot.at,
            deadline=judged.slot.deadline,
            verdict=judged.judgment.verdict,
            reason=judged.judgment.reason,
            loss=run.loss if run else None,
            lost_at=run.lost_at if run else None,
            error="\n".join(word for word in words if word) or None,
            files=self._scope.outcomes,
        )
        found = cause_of(bad, self._facts, self._down)
        return None if found is None else found.text

    def has_changed(self) -> bool:
        """Say whether cron has died or has come back."""
        return (self._dead is None) != (self._incident is None) and not self._is_unsure()

    def keep(self, now: datetime) -> None:
        """Open or close the incident of cron; belongs into a transaction."""
        if not self.has_changed():
            return
        if self._dead is not None:
            self._open(self._dead, now)
        elif self._incident is not None:
            missed = self._store.missed_since(self._incident.first_slot)
            self._tell(messages.cron_is_back(self._scope, self._incident, missed, now))
            self._store.save_incident(closed(self._incident, "healed", now))
            self._incident = None

    def _is_unsure(self) -> bool:
        """Say whether an incident is open, and nobody knows whether cron is back."""
        return self._incident is not None and (
            self._facts is None or self._facts.cron_running is not True
        )

    def _open(self, cause: Cause, now: datetime) -> None:
        self._incident = Incident(
            id=short_id(CRON, cause.since, now),
            job=CRON,
            opened_at=now,
            first_slot=cause.since,
            last_bad_slot=cause.since,
            slots=0,
            announced=True,
        )
        self._store.save_incident(self._incident)
        self._store.note("cause", now, cause=cause)
        self._tell(messages.cron_is_dead(self._scope, self._incident, cause, now))

    def _tell(self, notice: Notice) -> None:
        for channel in self._scope.route(notice.severity):
            self._store.outbox.add(notice, channel)
