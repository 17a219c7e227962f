"""One heap of the instants at which a verdict may change by time alone."""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime


class Moment(NamedTuple):
    """An instant to look at a slot: one that is known by name, or (None) the job's next one."""

    at: datetime
    job: str
    slot: datetime | None


class Deadlines:
    """Moments in order. `fallback`: how long the local timer waits for an outside trigger."""

    def __init__(self, fallback: timedelta = timedelta()) -> None:
        self._fallback = fallback
        # The counter keeps heapq from comparing a slot with None.
        self._heap: list[tuple[datetime, int, Moment]] = []
        self._count = 0

    def add(self, moment: Moment) -> None:
        """Remember a moment; one that is no longer of use does no harm when it comes."""
        self._count += 1
        heapq.heappush(self._heap, (moment.at, self._count, moment))

    def pop_due(self, now: datetime, triggered: Collection[str]) -> list[Moment]:
        """Take out what is due: at once for jobs that were triggered, else after the fallback."""
        due: list[Moment] = []
        waiting: list[tuple[datetime, int, Moment]] = []
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            moment = entry[2]
            if moment.job in triggered or moment.at + self._fallback <= now:
                due.append(moment)
            else:
                waiting.append(entry)
        for entry in waiting:
            heapq.heappush(self._heap, entry)
        return due

    def is_due(self, now: datetime, jobs: Collection[str]) -> bool:
        """Say whether a moment of one of these jobs has come, whoever may look at it."""
        return any(at <= now and moment.job in jobs for at, _, moment in self._heap)

    def first(self) -> datetime | None:
        """Name the earliest moment, whoever may look at it; None when there is none."""
        return self._heap[0][0] if self._heap else None

    def next(self) -> datetime | None:
        """Say when the local timer has to ring; None when nothing is expected."""
        return self._heap[0][0] + self._fallback if self._heap else None
