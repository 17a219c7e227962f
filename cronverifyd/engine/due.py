"""The slots that are due, in order, apart from those that are good already.

Most slots were settled by a line long before their deadline. So all jobs that are due at one
instant are held against one range of an index: with 10,000 of them a question a job would take ten
times as long.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from cronverifyd.store.sqlite import Store

_STRIDE = timedelta(hours=1)
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

    def pass_until(self, instant: datetime) -> Iterator[datetime]:
        """Pass the slots that are due and not after an instant."""
        last = min(instant, self._last)
        while (at := self.upcoming) is not None and at <= last:
            self.cursor = at
            self.upcoming = next(self._slots, None)
            yield at


def by_instant(walks: Iterable[Walk]) -> Iterator[tuple[datetime, list[str]]]:
    """Yield the instants at which something is due, in order, with the jobs that are due there.

    It goes on hour by hour, so that a month that nobody looked at is not in memory at once.
    """
    going = [walk for walk in walks if walk.is_due]
    while going:
        first = min(walk.upcoming for walk in going if walk.upcoming is not None)
        until = first.astimezone(UTC) + _STRIDE
        due: dict[datetime, list[str]] = defaultdict(list)
        for walk in going:
            for at in walk.pass_until(until):
                due[at].append(walk.job)
        yield from sorted(due.items(), key=itemgetter(0))
        going = [walk for walk in going if walk.is_due]


def unsettled(store: Store, at: datetime, jobs: Collection[str]) -> list[str]:
    """Give those of the jobs that were due at an instant which are not good already, in order."""
    if len(jobs) <= _FEW:
        return list(jobs)
    settled = store.settled_at(at)
    return [job for job in jobs if job not in settled]
