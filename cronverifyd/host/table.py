"""The cron daemon in the process table (proc(5))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE, _PARENT, _START = 0, 1, 19
"""Where these stand in /proc/PID/stat, counted after the name."""

_DEAD = frozenset("ZXxT")
"""A cron that is stopped (T) starts nothing either."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process. `start_ticks`: when it started, in ticks since the boot."""

    pid: int
    name: str
    parent: int
    start_ticks: int


def process(pid: int) -> Process | None:
    """Look at one process; None: it is no more, is stopped, or cannot be seen."""
    try:
        line = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name in brackets may hold anything, brackets and spaces too.
    head, _, tail = line.rpartition(b")")
    words = tail.decode("ascii").split()
    if not words or words[_STATE] in _DEAD:
        return None
    return Process(
        pid=pid,
        name=head.partition(b"(")[2].decode("utf-8", "replace"),
        parent=int(words[_PARENT]),
        start_ticks=int(words[_START]),
    )


def all_is_seen() -> bool:
    """Say whether processes of other users can be seen (not with hidepid or ProtectProc)."""
    return process(1) is not None


def daemons(names: frozenset[str], uid: int) -> list[Process]:
    """Find the daemons of these names that run as a user, the oldest first."""
    found = [each for pid in _pids_named(names) if (each := daemon(pid, names, uid)) is not None]
    return sorted(found, key=lambda each: each.start_ticks)


def daemon(pid: int, names: frozenset[str], uid: int) -> Process | None:
    """Look at a process; None, if it is not a daemon of one of these names.

    Neither is the child that cron makes for each job, which has cron's name too, and may outlive
    it, nor what runs in a container on this host.
    """
    seen = process(pid)
    if seen is None or seen.name not in names or not _is_ours(pid, uid):
        return None
    parent = process(seen.parent)
    if parent is not None and parent.name in names:
        return None
    return None if _handles_a_job(pid) else seen


def _pids_named(names: frozenset[str]) -> list[int]:
    wanted = {name.encode() + b"\n" for name in names}
    return [pid for pid in _pids() if _name_line(pid) in wanted]


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def _name_line(pid: int) -> bytes | None:
    try:
        return (_PROC / str(pid) / "comm").read_bytes()
    except OSError:
        return None  # it has ended meanwhile


def _is_ours(pid: int, uid: int) -> bool:
    """Say whether it runs as a user, and in no namespace of processes below ours."""
    try:
        status = (_PROC / str(pid) / "status").read_bytes()
    except OSError:
        return False
    fields = dict(line.split(b":", 1) for line in status.splitlines() if b":" in line)
    return int(fields[b"Uid"].split()[0]) == uid and len(fields.get(b"NSpid", b"").split()) <= 1


def _handles_a_job(pid: int) -> bool:
    """Say whether it is cron's child for a job.

    Debian's cron and cronie write the child's own name in capitals then (do_command.c).
    """
    try:
        arguments = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return True
    return arguments.partition(b"\0")[0].isupper()
