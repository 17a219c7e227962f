"""From lines to runs, and to the slots that have to be judged again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.errors import OutcomeError
from cronverifyd.intake.rejected import keep_rejected, rejection
from cronverifyd.judge import outcome
from cronverifyd.judge.runs import CLOCKS_DIFFER, Calendar, Window, join, slot_of, start_of
from cronverifyd.judge.writers import counts, spoofed_id
from cronverifyd.model import EventKind, Verdict

if TYPE_CHECKING:
    from cronverifyd.engine.ledgers import Ledgers
    from cronverifyd.engine.verdicts import Verdicts
    from cronverifyd.intake.reader import Block, Line
    from cronverifyd.intake.rejected import Rejection
    from cronverifyd.model import Event, Job, Mark, Run, Slot, TriggeredBy
    from cronverifyd.store.sqlite import Store


class Ingest:
    """Take blocks of lines into the store. Everything here belongs into a transaction."""

    def __init__(self, ledgers: Ledgers, verdicts: Verdicts) -> None:
        self._scope = ledgers.scope
        self._store = ledgers.store
        self._calendars = ledgers.calendars
        self._sight = ledgers.sight
        self._findings = ledgers.findings
        self._teller = ledgers.teller
        self._drills = ledgers.drills
        self._verdicts = verdicts

    def take_in(self, block: Block, by: TriggeredBy, now: datetime) -> Mark:
        """Keep a block's runs and its mark, and judge the slots that it tells of."""
        mark = self._store.save_mark(block.mark)
        window = Window(earliest=block.earliest, latest=block.latest)
        touched: dict[tuple[str, datetime], Slot] = {}
        rejections: list[Rejection] = []
        for line in block.lines:
            try:
                event = _decode(line)
            except OutcomeError as error:
                rejections.append(rejection(line.data, mark, line.offset, str(error), now))
            else:
                if self._drills.take(event, mark.path, now):
                    continue
                run = self._joined(event, mark, line.offset, window, now)
                for slot in self._take_run(*run, mark, now):
                    touched[slot.job, slot.at] = slot
        if rejections:
            self._reject(rejections, mark, now)
        for slot in sorted(touched.values(), key=lambda each: each.at):
            self._verdicts.judge(slot, by, now)
        return mark

    def _joined(
        self, event: Event, mark: Mark, offset: int, window: Window, now: datetime
    ) -> tuple[Run, tuple[Run, datetime] | None]:
        """Join a line to its run; give that as it is now, and as it was known with its slot."""
        job = self._scope.jobs.get(event.job)
        spoofed = job is not None and not counts(job, mark.writer_uid)
        run_id = self._run_id(event, mark, offset, spoofed=spoofed)
        known = self._store.run(event.job, run_id)
        run = join(known[0] if known else None, event, run_id=run_id, written=window)
        run = replace(run, writer_uid=mark.writer_uid, spoofed=spoofed)
        if event.at is None or event.at > window.latest + CLOCKS_DIFFER:
            self._store.note("untimed", now, job=event.job, run=run_id, written=window)
        return run, known

    def _run_id(self, event: Event, mark: Mark, offset: int, *, spoofed: bool) -> str:
        """Name the run of a line: as its writer does, else the open run without a name, else anew.

        Names of ours begin with a tilde and sort as the lines stand.
        """
        if event.run is not None:
            return spoofed_id(event.run, mark.writer_uid) if spoofed else event.run
        if event.kind is EventKind.FINISH and not spoofed:
            open_run = self._store.open_run_without_id(event.job)
            if open_run is not None:
                return open_run
        return f"~{mark.file_id or 0:08x}.{offset:012x}"

    def _take_run(
        self, run: Run, known: tuple[Run, datetime] | None, mark: Mark, now: datetime
    ) -> list[Slot]:
        """Keep a run; return the slots that have to be judged again. `known`: as it was before."""
        job = self._verdicts.jobs.get(run.job)
        if run.spoofed:
            self._keep_spoofed(run, known, mark, now)
            return []
        self._sight.wrote(run.job, mark.path)
        if job is None:
            self._store.save_run(run, known[1] if known else start_of(run))
            if run.job not in self._scope.jobs:
                self._findings.see_stranger(run, mark.path, now)
            return []
        if job.artifacts and run.ended_at is not None and not (known and known[0].ended_at):
            run = replace(run, artifacts=())
        slot = self._place(run, known, job)
        self._store.save_run(run, slot.at)
        self._findings.see_run(run, slot.at)
        left = self._store.slot(job.name, known[1]) if known and known[1] != slot.at else None
        return [slot, left.slot] if left else [slot]

    def _keep_spoofed(
        self, run: Run, known: tuple[Run, datetime] | None, mark: Mark, now: datetime
    ) -> None:
        """Keep a run that counts for nothing, with the slot that it was made up for."""
        job = self._verdicts.jobs.get(run.job)
        self._store.save_run(run, start_of(run) if job is None else self._place(run, known, job).at)
        self._findings.see_spoofed(self._scope.jobs[run.job], run, mark.path, now)

    def _place(self, run: Run, known: tuple[Run, datetime] | None, job: Job) -> Slot:
        """Find a run's slot; a run that has one keeps it unless it says something new about it."""
        if known is not None and _placed_by(known[0]) == _placed_by(run):
            judged = self._store.slot(job.name, known[1])
            if judged is not None:
                return judged.slot
        calendar = Calendar(
            schedule=self._calendars.schedule(job),
            owed_since=self._calendars.owed_since(job.name),
            taken=_TakenSlots(self._store, job.name),
            boots=self._calendars.boots_of(job),
        )
        return slot_of(run, job, calendar)

    def _reject(self, rejections: list[Rejection], mark: Mark, now: datetime) -> None:
        keep_rejected(self._scope.state_dir, rejections)
        if mark.file_id is not None and self._store.count_rejected(mark.file_id, len(rejections)):
            self._teller.at_large(messages.rejected_lines(self._scope, mark, rejections, now))


class _TakenSlots:
    """The slots of a job that need no run any more: an end is known, or none came in time.

    A slot that was judged missed at its deadline was judged when everything written up to then had
    been read, so no later line can have served it in time.
    """

    def __init__(self, store: Store, job: str) -> None:
        self._store = store
        self._job = job

    def __contains__(self, at: object) -> bool:
        return isinstance(at, datetime) and (self._has_ended(at) or self._was_missed(at))

    def _has_ended(self, at: datetime) -> bool:
        return any(run.ended_at for run in self._store.runs_of(self._job, at))

    def _was_missed(self, at: datetime) -> bool:
        judged = self._store.slot(self._job, at)
        if judged is None or judged.judgment.verdict is not Verdict.MISSED:
            return False
        return judged.decided_at >= judged.slot.deadline


def _decode(line: Line) -> Event:
    if line.cut:
        raise OutcomeError("the line is longer than 64 KiB; its first 64 KiB are kept")
    return outcome.decode(line.data)


def _placed_by(run: Run) -> tuple[object, ...]:
    """Return what decides to which slot a run belongs."""
    return start_of(run) if run.started_at else None, run.slot_hint, run.run_date
