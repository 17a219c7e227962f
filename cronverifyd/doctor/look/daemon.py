"""Whether a daemon runs on a state folder, and how it answers."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.doctor.facts import Holder
from cronverifyd.host.clocks import booted_at, read_clocks
from cronverifyd.host.table import process
from cronverifyd.state import LOCK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def holder(state_dir: Path, now: datetime) -> Holder | None:
    """Find the process that holds the lock of a state folder; None: there is none.

    The kernel's list is read (proc_locks(5)): to try the lock would keep a daemon out that starts
    at that moment.
    """
    try:
        inode = (state_dir / LOCK).stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        # "3: FLOCK  ADVISORY  WRITE 15279 fe:00:2687246 0 EOF"; one who waits has "->" after "3:".
        words = line.split()
        if words[1:4] == ["FLOCK", "ADVISORY", "WRITE"] and words[5].split(":")[2] == str(inode):
            return _holder(int(words[4]), now)
    return None


def has_systemd() -> bool:
    """Say whether systemd is this host's service manager (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def environ(held_by: Holder | None) -> Mapping[str, str]:
    """Give the environment that the daemon was started with; where it cannot be seen, our own."""
    if held_by is None:
        return os.environ
    try:
        text = Path(f"/proc/{held_by.pid}/environ").read_bytes()
    except OSError:
        return os.environ
    pairs = (entry.partition(b"=") for entry in text.split(b"\0") if b"=" in entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _holder(pid: int, now: datetime) -> Holder | None:
    seen = process(pid)
    if seen is None:
        return Holder(pid=pid, started_at=None)
    since_boot = timedelta(seconds=seen.start_ticks / os.sysconf("SC_CLK_TCK"))
    return Holder(pid=pid, started_at=booted_at(read_clocks(), now) + since_boot)
