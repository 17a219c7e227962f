"""What is odd is kept, and told once as a warning."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.intake.owner import name_of
from cronverifyd.judge.findings import overlaps, spoofed, surplus, unregistered
from cronverifyd.judge.runs import start_of
from cronverifyd.model import FindingKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cronverifyd.engine.calendars import Calendars
    from cronverifyd.engine.teller import Teller
    from cronverifyd.model import Finding, Job, Run
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

TOLD_AGAIN_AFTER = timedelta(days=7)
"""A job's finding of one kind is told again when there was none of it for so long."""

_MOST_UNREGISTERED = 10
"""Anybody who may write lines can make up names, so no more are told in a day."""


class Findings:
    """The findings of one store.

    What may be odd is remembered while lines are read; whether it is so is said when all that was
    written has been read (`gather`), for the line that explains it may come next.
    """

    def __init__(self, scope: Scope, store: Store, calendars: Calendars, teller: Teller) -> None:
        self._scope = scope
        self._store = store
        self._teller = teller
        self._calendars = calendars
        self._jobs = scope.watched()
        self._slots: set[tuple[str, datetime]] = set()
        self._runs: dict[tuple[str, str], datetime] = {}
        self._last_ends: dict[str, datetime] = {}

    def see_slot(self, job: str, slot: datetime) -> None:
        """Remember a slot that has more runs than it expects."""
        self._slots.add((job, slot))

    def see_run(self, run: Run, slot: datetime) -> None:
        """Remember a run if it may have begun while another one of its job was going on."""
        if run.started_at is None:
            return
        last = self._last_ends.get(run.job)
        is_open = run.ended_at is None and len(self._store.open_runs(run.job)) > 1
        if is_open or (last is not None and run.started_at < last):
            self._runs[run.job, run.run] = slot
        if run.ended_at is not None:
            self._last_ends[run.job] = max(last or run.ended_at, run.ended_at)

    def see_stranger(self, run: Run, path: str, now: datetime) -> None:
        """Note, within a transaction, that a job stands in no configuration."""
        last = self._store.last_finding(run.job, FindingKind.UNREGISTERED)
        if last is not None and now - last < TOLD_AGAIN_AFTER:
            return
        known = self._store.findings(now - timedelta(days=1))
        if sum(f.kind is FindingKind.UNREGISTERED for f in known) < _MOST_UNREGISTERED:
            self._note(unregistered(run, path), now)

    def see_spoofed(self, job: Job, run: Run, path: str, now: datetime) -> None:
        """Note, within a transaction, that somebody has written what does not count for a job.

        Once in a while, and not each run: whoever does so would fill the database.
        """
        last = self._store.last_finding(run.job, FindingKind.SPOOFED)
        if last is not None and now - last < TOLD_AGAIN_AFTER:
            return
        writer = None if run.writer_uid is None else name_of(run.writer_uid)
        self._note(spoofed(job, run, path, writer), now)

    def gather(self) -> list[Finding]:
        """Say what is odd of all that was remembered, now that all has been read."""
        found = [*self._of_slots(), *self._of_runs()]
        return [finding for finding in found if not self._store.has_finding(finding)]

    def keep(self, findings: list[Finding], now: datetime) -> None:
        """Keep findings, within a transaction, and tell of those that are new to people."""
        for finding in findings:
            self._note(finding, now)

    def forget(self) -> None:
        """Let go of what was remembered: all of it that is odd has been kept."""
        self._slots.clear()
        self._runs.clear()

    def _of_slots(self) -> Iterator[Finding]:
        for name, at in self._slots:
            job, judged = self._jobs.get(name), self._store.slot(name, at)
            if job is not None and judged is not None:
                runs = self._store.runs_of(name, at)
                second_pass = self._calendars.schedule(job).second_pass(at)
                yield from surplus(job, judged.slot, runs, second_pass)

    def _of_runs(self) -> Iterator[Finding]:
        for (name, run_id), slot in self._runs.items():
            job, known = self._jobs.get(name), self._store.run(name, run_id)
            if job is not None and known is not None:
                yield from overlaps(job, self._around(job, known[0], slot))

    def _around(self, job: Job, run: Run, slot: datetime) -> list[Run]:
        """Gather the runs that may have been going on at the same time as this one."""
        before = timedelta(seconds=job.max_duration_s + job.grace_s)
        until = run.ended_at or start_of(run)
        near = self._store.runs_between(job.name, slot - before, max(slot, until))
        return list({r.run: r for r in (*near, *self._store.open_runs(job.name))}.values())

    def _note(self, finding: Finding, now: datetime) -> None:
        last = self._store.last_finding(finding.job, finding.kind)
        is_new = self._store.add_finding(finding, now)
        if not is_new or (last is not None and now - last < TOLD_AGAIN_AFTER):
            return
        job = self._jobs.get(finding.job)
        notice = messages.finding(self._scope, finding, now)
        self._teller.tell(notice, self._scope.route(notice.severity, job))
