"""Artifacts: who has to be measured, and what was found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge.verify import wants_measuring
from cronverifyd.model import Artifact, Measure, Measured, Past

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cronverifyd.model import ArtifactRule, Job, Run
    from cronverifyd.store.sqlite import Store

_PAST = 10
_ANSWERS_WITHIN = timedelta(minutes=30)
"""A disk that hangs must not keep a slot pending for ever: that would be silence."""


class Measuring:
    """The runs that wait for their artifacts to be measured.

    `hand_over(request)` gives one to whoever measures; the answer comes as a `Measured`. Each run
    is asked for once a process; those that an earlier one left are asked for again.
    """

    def __init__(self, store: Store, hand_over: Callable[[Measure], None]) -> None:
        self._store = store
        self._hand_over = hand_over
        self._asked: dict[tuple[str, str], tuple[datetime, Measure]] = {}
        self._waiting: list[Measure] = []

    def look_at(self, job: Job, runs: Sequence[Run], slot: datetime, now: datetime) -> None:
        """Queue a request for each run of a slot that has to be measured."""
        for run in runs:
            key = job.name, run.run
            if key not in self._asked and wants_measuring(job, run):
                request = Measure(
                    run=run,
                    rules=job.artifacts,
                    past=self._past(job, slot),
                    superseded=self._store.ended_since(job.name, slot),
                )
                self._asked[key] = now, request
                self._waiting.append(request)

    def forget_unkept(self) -> None:
        """Let go of what was queued by a unit of work that failed."""
        for request in self._waiting:
            self._asked.pop((request.run.job, request.run.run), None)
        self._waiting.clear()

    def hand_out(self) -> None:
        """Hand the queued requests over, once what they come from is kept."""
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._hand_over(request)

    def overdue(self, now: datetime) -> list[Measured]:
        """Answer in place of those from whom no answer came."""
        minutes = _ANSWERS_WITHIN // timedelta(minutes=1)
        fault = f"could not be looked at within {minutes} min: its file system does not answer"
        return [
            Measured(job=job, run=run, artifacts=tuple(_unseen(request.rules, fault)))
            for (job, run), (asked_at, request) in self._asked.items()
            if now - asked_at > _ANSWERS_WITHIN
        ]

    def keep(self, measured: Measured, now: datetime) -> datetime | None:
        """Keep what was found; give the slot of the run, or None for one that was measured."""
        self._asked.pop((measured.job, measured.run), None)
        known = self._store.run(measured.job, measured.run)
        if known is None or known[0].artifacts != ():
            return None
        run, slot = known
        self._store.save_run(replace(run, artifacts=measured.artifacts), slot)
        self._store.note(
            "measured",
            now,
            job=measured.job,
            run=measured.run,
            ended_at=run.ended_at,
            artifacts=measured.artifacts,
        )
        return slot

    def _past(self, job: Job, slot: datetime) -> dict[str, Past]:
        made = [
            artifact
            for run in self._store.measured_before(job.name, slot, _PAST)
            for artifact in run.artifacts or ()
            if artifact.size is not None
        ]
        return {
            rule.path: _past_of([a for a in made if a.rule == rule.path]) for rule in job.artifacts
        }


def _past_of(made: list[Artifact]) -> Past:
    digest = next((a.digest for a in made if a.digest is not None), None)
    return Past(sizes=tuple(a.size for a in made if a.size is not None), digest=digest)


def _unseen(rules: Sequence[ArtifactRule], fault: str) -> list[Artifact]:
    return [Artifact(rule=rule.path, fault=fault) for rule in rules]
