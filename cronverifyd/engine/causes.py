"""What the host says when jobs go wrong, and the incident of a cron that is not running."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.engine.standing import Standing
from cronverifyd.judge.causes import BadSlot, cause_of, cron_dead
from cronverifyd.judge.host_words import sentences
from cronverifyd.judge.runs import skips
from cronverifyd.model import CRON, CauseKind

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.engine.calendars import Calendars
    from cronverifyd.engine.lost import Host
    from cronverifyd.engine.teller import Teller
    from cronverifyd.model import Cause, HostFacts, Job, JudgedSlot, Notice, Run, Volume
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store


_MOST_OWED_A_JOB = 50

_DEAD_UNSEEN = timedelta(seconds=60)
"""Cron may have been dead for so long before a look has missed it."""


class Causes:
    """The facts of the last look at the host, and the one incident that they can open.

    A dead cron is told when it is certain, without waiting for the deadlines of its jobs.
    """

    def __init__(
        self, scope: Scope, store: Store, host: Host, calendars: Calendars, teller: Teller
    ) -> None:
        self._calendars = calendars
        self._teller = teller
        self._scope = scope
        self._store = store
        self._host = host
        self._facts: HostFacts | None = None
        self._standing = Standing(CRON, scope, store)
        self._dead: Cause | None = None
        self._down: tuple[datetime, datetime] | None = None

    def begin(self) -> None:
        """Find out whether the host was down since the last look at the files."""
        last_sign = max((mark.looked_at for mark in self._store.marks()), default=None)
        if last_sign is not None and self._host.boot not in self._store.boots():
            self._down = last_sign, self._host.booted_at

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        self._standing.remember()

    def look(self, now: datetime) -> None:
        """Look at the host."""
        self._facts = self._host.look(now, (str(self._scope.state_dir), *self._scope.outcomes))
        self._dead = cron_dead(self._facts, self._scope.watched())

    def volumes(self) -> tuple[Volume, ...]:
        """Give the file systems of the state and of the outcome files, as last looked at."""
        return () if self._facts is None else self._facts.volumes

    def says(self, zone: str) -> tuple[str, ...]:
        """Say what the host is like, in sentences."""
        return () if self._facts is None else tuple(sentences(self._facts, zone))

    def proof(self, judged: JudgedSlot, run: Run | None) -> tuple[str, str] | None:
        """Name what the host can prove to have made a slot bad, and say it in a sentence.

        Both are the same for all jobs that it hits, so times are in UTC.
        """
        found = self._cause(judged, run)
        if found is None:
            return None
        of_cron = self._incident_of(judged) if found.kind is CauseKind.CRON_DOWN else None
        key = of_cron or f"{found.kind} {found.what} {found.since.isoformat()}"
        return key, found.text

    def _incident_of(self, judged: JudgedSlot) -> str | None:
        """Name the incident of cron in which a slot was due: it tells of all of them."""
        last, at = self._store.last_incident(CRON), judged.slot.at
        if last is None or at < last.first_slot - _DEAD_UNSEEN:
            return None
        return last.id if last.closed_at is None or at <= last.closed_at else None

    def _cause(self, judged: JudgedSlot, run: Run | None) -> Cause | None:
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
        return cause_of(bad, self._facts, self._down)

    def has_changed(self) -> bool:
        """Say whether cron has died or has come back."""
        is_known = self._standing.incident is not None
        return is_known != (self._dead is not None) and not self._is_unsure()

    def keep(self, now: datetime) -> None:
        """Open or close the incident of cron; belongs into a transaction."""
        if not self.has_changed():
            return
        if self._dead is not None:
            self._open(self._dead, now)
        elif (incident := self._standing.incident) is not None:
            owed = self._owed(incident.first_slot, now)
            self._tell(messages.cron_is_back(self._scope, incident, owed, now))
            self._standing.heal(incident, now)

    def _is_unsure(self) -> bool:
        """Say whether an incident is open, and nobody knows whether cron is back."""
        return self._standing.incident is not None and (
            self._facts is None or self._facts.cron_running is not True
        )

    def _open(self, cause: Cause, now: datetime) -> None:
        incident = self._standing.open(cause.since, now)
        self._store.note("cause", now, cause=cause)
        self._tell(messages.cron_is_dead(self._scope, incident, cause.text, now))

    def next_reminder(self) -> datetime | None:
        """Say when people are to be told again that cron is dead, or None."""
        return self._standing.next_reminder()

    def remind(self, now: datetime) -> None:
        """Tell again of a cron that is dead for long, and what is owed by now."""
        if (told := self._standing.reminded(now)) is not None:
            owed = self._owed(told.first_slot, now)
            self._tell(messages.cron_still_dead(self._scope, told, owed, now))

    def _tell(self, notice: Notice) -> None:
        assert notice.incident is not None  # noqa: S101 (cron's notices all have one)
        self._teller.of_all(notice, cause=notice.incident)

    def _owed(self, since: datetime, now: datetime) -> list[tuple[datetime, str]]:
        """Give the slots that were due while cron was dead and that no run has served, in order."""
        owed: list[tuple[datetime, str]] = []
        for job in self._scope.watched().values():
            slots = self._calendars.schedule(job).slots_after(since)
            due = islice(takewhile(lambda at: at <= now, slots), _MOST_OWED_A_JOB)
            owed += [(at, job.name) for at in due if self._is_owed(job, at)]
        return sorted(owed)

    def _is_owed(self, job: Job, at: datetime) -> bool:
        is_expected = at > self._calendars.owed_since(job.name) and not skips(job, at)
        return is_expected and not self._store.runs_of(job.name, at)
