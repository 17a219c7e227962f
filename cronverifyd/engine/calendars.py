"""When each job was due, and since when it is owed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronverifyd.judge.runs import make_slot
from cronverifyd.judge.schedule import parse
from cronverifyd.model import Tenure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cronverifyd.engine.lost import Host
    from cronverifyd.judge.schedule import Schedule
    from cronverifyd.model import Job, Slot
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store


class Calendars:
    """The tenures of one store and the boots of this host, kept at hand.

    What writes belongs into a transaction; after one that failed, `remember` brings what is at
    hand back in line.
    """

    def __init__(self, scope: Scope, store: Store) -> None:
        self._store = store
        self._jobs = scope.watched()
        self._tenures: dict[str, Tenure] = {}
        self.boots: dict[str, datetime] = {}
        """The boots of this host that were seen, by the kernel's id."""

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        self._tenures = self._store.tenures()
        self.boots = self._store.boots()

    def begin(self, host: Host, now: datetime) -> Iterator[Tenure]:
        """Bring tenures in line with the configuration; give those that are over.

        A job owes its first slot after it first stood there; with a changed schedule, or put back,
        it owes from now on; a disabled or removed one owes nothing.
        """
        if host.boot not in self._store.boots():
            self._store.save_boot(host.boot, host.booted_at)
            self._store.note("boot", now, id=host.boot, booted_at=host.booted_at)
        known = self._store.tenures()
        for job in self._jobs.values():
            if not _is_in_force(known.get(job.name), job):
                self._begin_tenure(job, now)
        for name, tenure in known.items():
            if tenure.active and name not in self._jobs:
                self._store.save_tenure(replace(tenure, active=False))
                self._store.note("unowed", now, job=name)
                yield tenure

    def schedule(self, job: Job) -> Schedule:
        """Give a job's schedule, with the boots if it goes by them."""
        return parse(job.schedule, job.timezone, tuple(self.boots.values()))

    def slot(self, job: Job, at: datetime) -> Slot:
        """Build a job's slot at one of the instants of its schedule."""
        return make_slot(job, at, starts=self.schedule(job).starts_at(at))

    def boots_of(self, job: Job) -> dict[str, datetime] | None:
        """Give the boots, by the kernel's id, if a job's schedule goes by them."""
        return self.boots if job.schedule.strip() == "@reboot" else None

    def owed_since(self, job: str) -> datetime:
        """Say since when a watched job owes its slots."""
        return self._tenures[job].owed_since

    def cursor(self, job: str) -> datetime:
        """Say which slot of a watched job was the newest that was looked at for its own sake."""
        return self._tenures[job].cursor

    def move(self, cursors: Mapping[str, datetime]) -> None:
        """Keep the new cursors of jobs."""
        for job, cursor in cursors.items():
            self._tenures[job] = replace(self._tenures[job], cursor=cursor)
        self._store.move_cursors(cursors)

    def _begin_tenure(self, job: Job, now: datetime) -> None:
        tenure = Tenure(
            job=job.name,
            schedule=job.schedule,
            timezone=job.timezone,
            owed_since=now,
            cursor=now,
        )
        self._store.save_tenure(tenure)
        terms = {"schedule": job.schedule, "timezone": job.timezone}
        self._store.note("owed", now, job=job.name, since=now, **terms)


def _is_in_force(tenure: Tenure | None, job: Job) -> bool:
    """Say whether a job is owed under the terms that the configuration has by now."""
    terms = (job.schedule, job.timezone)
    return tenure is not None and tenure.active and (tenure.schedule, tenure.timezone) == terms
