"""What the kernel says of this boot and of the processes that runs were (proc(5))."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.model import Loss

if TYPE_CHECKING:
    from cronverifyd.model import Run

_PROC = Path("/proc")
_STATE, _START = 0, 19
"""Where the state and the start time stand in /proc/PID/stat, counted after the name."""

_DEAD = frozenset("ZXx")


class Processes:
    """This host as it is now. A process is its number together with its start time in ticks.

    `boot`: the kernel's id of this boot. `booted_at`: when PID 1 was started, to a second.
    """

    def __init__(self) -> None:
        self.boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        self.booted_at = _instant_of(_start_ticks(1) or 0)
        self._host = os.uname().nodename

    def loss_of(self, run: Run) -> Loss | None:
        """Say why an open run's end will never be recorded; None while it may be, or who knows.

        Numbers of processes are given again, so a wrapper counts as alive only if it is older than
        its job. What another host's runs do is not known here.
        """
        if run.boot is None or run.pid is None or run.host not in {None, self._host}:
            return None
        if run.boot != self.boot:
            return Loss.REBOOTED if run.host is not None else None
        if run.pid_start is None:
            return None
        if run.wrapper_pid is not None and _is_older(run.wrapper_pid, run.pid_start):
            return None
        if _start_ticks(run.pid) != run.pid_start:
            return Loss.GONE
        return None if run.wrapper_pid is None else Loss.ORPHANED

    def is_running(self, run: Run) -> bool | None:
        """Say whether an open run's own process is running; None where that is not known here."""
        if run.boot != self.boot or run.pid is None or run.pid_start is None:
            return None
        if run.host not in {None, self._host}:
            return None
        return _start_ticks(run.pid) == run.pid_start


def _is_older(pid: int, ticks: int) -> bool:
    started = _start_ticks(pid)
    return started is not None and started <= ticks


def _start_ticks(pid: int) -> int | None:
    """Say when a process started, in ticks since the boot; None when it is dead or a zombie."""
    try:
        line = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name in brackets may hold anything, brackets and spaces too.
    words = line.rpartition(b")")[2].decode("ascii").split()
    return None if words[_STATE] in _DEAD else int(words[_START])


def _instant_of(ticks: int) -> datetime:
    """Turn ticks since the boot into an instant, by the boot's time in whole seconds."""
    lines = (_PROC / "stat").read_text().splitlines()
    booted_s = int(next(line for line in lines if line.startswith("btime ")).split()[1])
    since_boot = timedelta(seconds=ticks / os.sysconf("SC_CLK_TCK"))
    return datetime.fromtimestamp(booted_s, UTC) + since_boot
