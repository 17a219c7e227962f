"""What a trigger is answered, and what CueAPI is told of it afterwards."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from cronverifyd.model import BadJob, GoodJob, Report, Verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from cronverifyd.model import JudgedSlot, Reported, Verify
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

log = logging.getLogger(__name__)

REPLAY_WINDOW = timedelta(seconds=600)
"""For so long an execution that is known gets its first answer.

CueAPI's signatures are taken for 300 s before and after the time that they bear.
"""

_NEXT_MINUTE = timedelta(seconds=60)
"""A cue is fired at the first whole minute that is not before the slot's deadline."""


class Answers:
    """The answers of one store. `report` is answered by a `Reported`."""

    def __init__(self, scope: Scope, store: Store, report: Callable[[Report], None]) -> None:
        self._scope = scope
        self._store = store
        self._report = report
        self._busy = False

    def first(self, execution: str | None, now: datetime) -> Verified | None:
        """Give the answer that an execution has got already, or None."""
        if execution is None:
            return None
        known = self._store.execution_answer(execution, now - REPLAY_WINDOW)
        return None if known is None else msgspec.json.decode(known, type=Verified)

    def keep(self, asked: Verify, verified: Verified, now: datetime) -> None:
        """Keep an execution's first answer, and owe CueAPI its outcome; within a transaction."""
        if asked.execution is None:
            return
        answer = msgspec.json.encode(verified).decode()
        self._store.save_execution(asked.execution, answer, now)
        self._store.note("execution", now, id=asked.execution, answer=verified)
        if asked.owes_outcome and self._scope.reports:
            self._store.reports.add(asked.execution, answer, now)

    def of(self, names: Iterable[str], scheduled_for: datetime | None) -> Verified:
        """Say how jobs stand: by their last due slots, or by those that a cue was made for."""
        bad: list[BadJob] = []
        good: list[GoodJob] = []
        names = list(dict.fromkeys(names))
        for name in names:
            judged = self._slot(name, scheduled_for)
            if judged is None:
                continue
            if judged.judgment.verdict.good:
                good.append(_good(judged))
            else:
                bad.append(self._bad(judged))  # one that nobody could see is not well either
        return Verified(checked=len(names), details=tuple(bad), good=tuple(good))

    def _slot(self, job: str, scheduled_for: datetime | None) -> JudgedSlot | None:
        if scheduled_for is None:
            return self._store.last_due(job)
        by_then = self._store.last_due_by(job, scheduled_for + _NEXT_MINUTE)
        return by_then or self._store.last_due(job)

    def _bad(self, judged: JudgedSlot) -> BadJob:
        name, run = judged.slot.job, judged.judgment.run
        known = self._store.run(name, run) if run else None
        return BadJob(
            job=name,
            slot=judged.slot.at,
            verdict=judged.judgment.verdict,
            issue=judged.judgment.reason,
            error=known[0].error if known else None,
        )

    # ---- reports ----------------------------------------------------------------------------

    def next_moment(self) -> datetime | None:
        """Say when the next report is to be made, or None."""
        return None if self._busy else self._store.reports.next_try()

    def dispatch(self, now: datetime) -> None:
        """Hand out the next report, one at a time."""
        if self._busy or (owed := self._store.reports.first(now)) is None:
            return
        self._busy = True
        verified = msgspec.json.decode(owed.answer, type=Verified)
        self._report(Report(execution=owed.execution, verified=verified))

    def reported(self, message: Reported, now: datetime) -> None:
        """Keep what came of a report; within a transaction."""
        self._busy = False
        if not self._store.reports.settle(message.execution, message.delivery, now):
            log.warning(
                "CueAPI was not told execution=%s error=%s",
                message.execution,
                message.delivery.error,
            )
        self._store.note("report", now, id=message.execution, result=message.delivery.result)


def _good(judged: JudgedSlot) -> GoodJob:
    return GoodJob(
        job=judged.slot.job,
        slot=judged.slot.at,
        reason=f"{judged.judgment.verdict}: {judged.judgment.reason}",
        run=judged.judgment.run,
    )
