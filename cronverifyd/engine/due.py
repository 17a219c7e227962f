"""The slots that are due, in order, apart from those that are good already.

Most slots were settled by a line long before their deadline. So all jobs that are due at one
instant are held against one range of an index: with 10,000 of them a question a job would take ten
times as long.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from cronverifyd.store.sqlite import Store

_FEW = 2
"""For so few jobs it is not worth while to ask first: they are judged in any case."""


class Walk:
    """One job's slots, from the one after its cursor to the last that is due.

    `upcoming`: the first that was not passed yet, or None where none is known.
    """

    def __init__(
        self, job: str, cursor: datetime, slots: Iterator[datetime], last: datetime
    ) -> None:
        self.job = job
        self.cursor = cursor
        self._slots = slots
        self._last = last
        self.upcoming = next(slots, None)

    @property
    def is_due(self) -> bool:
        """Say whether the upcoming slot is due."""
        return self.upcoming is not None and self.upcoming <= self._last

    def step(self) -> None:
        """Pass the upcoming slot."""
        if self.upcoming is not None:
            self.cursor = self.upcoming
            self.upcoming = next(self._slots, None)


def by_instant(walks: Iterable[Walk]) -> Iterator[tuple[datetime, list[Walk]]]:
    """Yield the instants at which something is due, in order, with the walks that are there.

    They are passed when the next instant is asked for.
    """
    # The counter keeps heapq from comparing two walks.
    heap = [(walk.upcoming, count, walk) for count, walk in enumerate(walks) if walk.is_due]
    heapq.heapify(heap)
    while heap:
        at = heap[0][0]
        here: list[tuple[int, Walk]] = []
        while heap and heap[0][0] == at:
            _, count, walk = heapq.heappop(heap)
            here.append((count, walk))
        if at is not None:
            yield at, [walk for _, walk in here]
        for count, walk in here:
            walk.step()
            if walk.is_due:
                heapq.heappush(heap, (walk.upcoming, count, walk))


def unsettled(store: Store, at: datetime, jobs: Collection[str]) -> list[str]:
    """Give those of the jobs that were due at an instant which are not good already, in order."""
    if len(jobs) <= _FEW:
        return list(jobs)
    settled = store.settled_at(at)
    return [job for job in jobs if job not in settled]
