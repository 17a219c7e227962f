"""What cannot be seen: holes in the outcome files, and the one incident that tells of them.

Silence must never mean that nobody could look.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.engine.standing import Standing
from cronverifyd.judge.runs import make_slot
from cronverifyd.judge.writers import counts
from cronverifyd.model import BLIND, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cronverifyd.engine.calendars import Calendars
    from cronverifyd.engine.teller import Teller
    from cronverifyd.intake.tail import Tail
    from cronverifyd.model import Hole, Incident, Job, Notice
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

_REMEMBERED = timedelta(days=40)
"""No slot's window is judged so long after it began, but for the first look after a long stop."""


class Sight:
    """The holes of one store, kept at hand.

    What writes belongs into a transaction; after one that failed, `remember` brings what is at hand
    back in line.
    """

    def __init__(
        self, scope: Scope, store: Store, tail: Tail, calendars: Calendars, teller: Teller
    ) -> None:
        self._teller = teller
        self._scope = scope
        self._store = store
        self._tail = tail
        self._calendars = calendars
        self._jobs = scope.watched()
        self._holes: list[Hole] = []
        self._writers: dict[str, set[str]] = {}
        self._standing = Standing(BLIND, scope, store)

    def remember(self, now: datetime) -> None:
        """Read from the store what has to be at hand."""
        self._holes = self._store.holes(now - _REMEMBERED)
        self._writers = self._store.writers()
        self._standing.remember()

    def wrote(self, job: str, path: str) -> None:
        """Keep which file a job's lines come from."""
        known = self._writers.setdefault(job, set())
        if path not in known:
            known.add(path)
            self._store.save_writer(job, path)

    def holes_of(self, job: str) -> list[Hole]:
        """Give the holes that concern a job: those of its files.

        Where none is known, those of all files that may be: what a user has whose outcomes do not
        count hides nothing.
        """
        if not self._holes:
            return []
        known = self._writers.get(job)
        if known is not None:
            return [hole for hole in self._holes if hole.path in known]
        return [hole for hole in self._holes if self._may_hide(hole, job)]

    def _may_hide(self, hole: Hole, job: str) -> bool:
        return hole.writer_uid is None or counts(self._jobs[job], hole.writer_uid)

    def has_changed(self) -> bool:
        """Say whether the last look at the files saw something new, or an incident is open."""
        lasting = {hole.path for hole in self._holes if hole.until is None}
        news = self._tail.unreadable().keys() ^ lasting
        return bool(news) or self._standing.incident is not None

    def lose(self, losses: Iterable[Hole], now: datetime) -> None:
        """Keep the holes of what is lost for good."""
        for hole in losses:
            self._add(hole, now)

    def keep(self, now: datetime) -> bool:
        """Keep which files cannot be read; True if one can be read again that could not."""
        unreadable = self._tail.unreadable()
        lasting = {hole.path: hole for hole in self._holes if hole.until is None}
        for path in sorted(unreadable.keys() - lasting.keys()):
            self._add(unreadable[path], now)
        healed = lasting.keys() - unreadable.keys()
        for path in healed:
            self._store.drop_hole(path)
            self._store.note("readable", now, path=path)
            self._holes = [h for h in self._holes if h.path != path or h.until is not None]
        return bool(healed)

    def settle(self, now: datetime) -> None:
        """Close the incident when all that was to be seen is seen again."""
        incident = self._standing.incident
        if incident is None or any(self._still_blind()):
            return
        self._tell(messages.sighted(self._scope, incident, now), incident)
        self._standing.heal(incident, now)

    def next_reminder(self) -> datetime | None:
        """Say when people are to be told again that nobody can see, or None."""
        return self._standing.next_reminder()

    def remind(self, now: datetime) -> None:
        """Tell again of an incident that is open for long."""
        if self._holes and (told := self._standing.reminded(now)) is not None:
            hole = next((h for h in self._holes if h.until is None), self._holes[-1])
            jobs = self._hidden_by(hole)
            self._tell(messages.still_blind(self._scope, told, hole, jobs, now), told)

    def _tell(self, notice: Notice, incident: Incident) -> None:
        """Tell those who were told of the incident's opening."""
        told = self._store.outbox.channels_of(incident.id)
        self._teller.tell(notice, self._scope.known(told))

    def _hidden_by(self, hole: Hole) -> list[str]:
        return sorted(name for name, job in self._jobs.items() if self._concerns(hole, job))

    def _add(self, hole: Hole, now: datetime) -> None:
        self._store.save_hole(hole)
        self._store.note("hole", now, hole=hole)
        self._holes.append(hole)
        jobs = self._hidden_by(hole)
        if not jobs or self._standing.incident is not None:
            self._teller.at_large(messages.lines_lost(self._scope, hole, jobs, now))
            return
        incident = self._standing.open(hole.since, now)
        self._teller.at_large(messages.blind(self._scope, incident, hole, jobs, now))

    def _still_blind(self) -> Iterator[bool]:
        for name, job in self._jobs.items():
            last = self._store.last_due(name)
            yield last is not None and last.judgment.verdict is Verdict.UNKNOWN
            yield any(self._concerns(hole, job) for hole in self.holes_of(name))

    def _concerns(self, hole: Hole, job: Job) -> bool:
        """Say whether the verdict of a job's slot can still turn on what a hole hides."""
        if hole not in self.holes_of(job.name):
            return False
        if hole.until is None:
            return True
        at = self._calendars.schedule(job).latest_at(hole.until)
        if at is None or at <= self._calendars.owed_since(job.name):
            return False
        judged = self._store.slot(job.name, at)
        is_open = judged is None or judged.judgment.verdict is Verdict.PENDING
        return is_open and make_slot(job, at).deadline > hole.since
