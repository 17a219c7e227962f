"""Runs whose end will never be recorded: noticed by the process table, not by the deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from cronverifyd.model import Loss

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cronverifyd.engine.verdicts import Verdicts
    from cronverifyd.model import HostFacts, Run, TriggeredBy
    from cronverifyd.store.sqlite import Store

_WRITES_WITHIN = timedelta(seconds=10)
"""So long after its process has gone, a program other than our wrapper may still write its line."""


class Host(Protocol):
    """What the engine asks the machine."""

    @property
    def boot(self) -> str:
        """Name this boot, by the kernel's id."""
        ...

    @property
    def booted_at(self) -> datetime:
        """Say when this boot began."""
        ...

    def look(self, now: datetime, paths: Sequence[str]) -> HostFacts:
        """Gather what the host says of itself. `paths`: whose file systems matter."""
        ...

    def loss_of(self, run: Run) -> Loss | None:
        """Say why an open run's end will never be recorded; None: it may be, or who knows."""
        ...


class Lost:
    """The open runs of one store, held against the process table.

    The processes are looked at first (`suspects`), then the files are read to their ends: the
    wrapper writes before it exits, so what is still open then (`conclude`) stays so.
    """

    def __init__(self, store: Store, host: Host, verdicts: Verdicts) -> None:
        self._store = store
        self._host = host
        self._verdicts = verdicts
        self._suspected: dict[tuple[str, str], datetime] = {}

    def suspects(self, now: datetime) -> dict[tuple[str, str], Loss]:
        """Name the open runs whose process is no more, by job and run."""
        found: dict[tuple[str, str], Loss] = {}
        for run, _ in self._store.alive_runs():
            if (loss := self._host.loss_of(run)) is not None:
                found[run.job, run.run] = loss
        self._suspected = {key: self._suspected.get(key, now) for key in found}
        return found

    def conclude(
        self, suspects: dict[tuple[str, str], Loss], by: TriggeredBy, now: datetime
    ) -> None:
        """Keep the loss of those of which no end was read, and judge their slots."""
        for (job, run_id), loss in suspects.items():
            known = self._store.run(job, run_id)
            if known is None or known[0].ended_at is not None or self._may_write(known[0], now):
                continue
            run, slot_at = known
            lost_at = self._host.booted_at if loss is Loss.REBOOTED else now
            self._store.save_run(replace(run, lost_at=lost_at, loss=loss), slot_at)
            self._store.note("lost", now, job=job, run=run_id, loss=loss, lost_at=lost_at)
            self._verdicts.judge_again(job, slot_at, by, now)

    def _may_write(self, run: Run, now: datetime) -> bool:
        since = self._suspected.get((run.job, run.run), now)
        return run.wrapper_pid is None and now - since < _WRITES_WITHIN
