"""What this host says of itself: the facts that can have made jobs go wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.host.clocks import Clocks, booted_at, read_clocks
from cronverifyd.host.crons import NAMES, Crons
from cronverifyd.host.volumes import Volumes
from cronverifyd.model import HostFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cronverifyd.host.clocks import Reading

_PROC = Path("/proc")


class Evidence:
    """The facts of this host, and what became of them from look to look.

    It remembers when things were so, so one instance has to live as long as the process. `read`:
    reads the clocks; `cron_names`, `cron_uid`: what a cron may be called, and whom it runs as.
    """

    def __init__(
        self,
        read: Callable[[], Reading] = read_clocks,
        cron_names: frozenset[str] = NAMES,
        cron_uid: int = 0,
    ) -> None:
        self._clocks = Clocks(read)
        self._crons = Crons(cron_names, cron_uid)
        self._volumes = Volumes()
        self._boot = _text_of("sys/kernel/random/boot_id")

    def look(self, now: datetime, paths: Sequence[str]) -> HostFacts:
        """Gather the facts, some tenths of a millisecond's work. Never raises.

        `now` should have been read just before. `paths`: whose file systems matter; none of them
        may be on a network, whose silence would last.
        """
        reading = self._clocks.look(now)
        self._crons.look(reading, now)
        memory = _memory()
        return HostFacts(
            at=now,
            boot=self._boot,
            booted_at=booted_at(reading, now),
            asleep=self._clocks.asleep,
            steps=self._clocks.steps,
            cron_running=self._crons.running,
            cron_expected=self._crons.expected,
            cron_pid=self._crons.pid,
            cron_started_at=self._crons.started_at,
            cron_missing_s=self._crons.missing_s,
            cron_gaps=self._crons.gaps,
            volumes=self._volumes.look(paths, now),
            load=_load(),
            cpus=os.cpu_count(),
            memory_bytes=memory.get("MemTotal"),
            free_memory_bytes=memory.get("MemAvailable"),
            cpu_pressure=_pressure("cpu"),
            memory_pressure=_pressure("memory"),
            io_pressure=_pressure("io"),
        )


def _text_of(name: str) -> str | None:
    try:
        return (_PROC / name).read_text("ascii").strip()
    except (OSError, ValueError):
        return None


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _memory() -> dict[str, int]:
    """Read how much memory there is and how much could still be had, in bytes (proc(5))."""
    fields = (line.partition(":") for line in (_text_of("meminfo") or "").splitlines())
    wanted = {"MemTotal", "MemAvailable"}
    return {name: int(value.split()[0]) * 1024 for name, _, value in fields if name in wanted}


def _pressure(resource: str) -> float | None:
    """Read for how much of the last 10 s something waited, in per cent (the kernel's psi.rst)."""
    for word in (_text_of(f"pressure/{resource}") or "").split():
        if word.startswith("avg10="):
            return float(word.removeprefix("avg10="))
    return None
