"""The files of an installation: what stands there, whose it is, and its mode."""

from __future__ import annotations

import glob
import os
import pwd
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.doctor.facts import Account, Entry, Files, Kind, Outcomes
from cronverifyd.state import CONTROL_SOCKET, LOCK, TRIGGER_SECRET
from cronverifyd.store.reader import DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cronverifyd.config.pieces import Config

KEPT = (
    *(DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "journal.jsonl", "rejected.jsonl"),
    *(CONTROL_SOCKET, LOCK, TRIGGER_SECRET),
)
"""What the daemon keeps in its state folder."""

_PASS_OVER_MODES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (capabilities(7))."""


def look(config: Config, daemon_pid: int | None) -> Files:
    """Look at the configuration, the state folder and the outcome files.

    The daemon's user is the owner of the state folder.
    """
    state_dir = config.daemon.state_dir
    state = entry(state_dir)
    kept = ((name, entry(state_dir / name)) for name in KEPT)
    return Files(
        config=entry(config.path.absolute()),
        state_path=str(state_dir),
        way=way_to(state_dir),
        state=state,
        kept={name: found for name, found in kept if found is not None},
        daemon=account(state.uid) if state else None,
        me=_me(),
        outcomes=tuple(map(_outcomes, paths(config.daemon.outcomes))),
        reads_all=_reads_all(daemon_pid),
        sticky_guard=number("fs/protected_regular"),
        empty_globs=tuple(p for p in config.daemon.outcomes if glob.has_magic(p) and not _match(p)),
    )


def paths(patterns: Iterable[str]) -> list[str]:
    """Name the outcome files: those that match, and plain ones that are not there yet."""
    found = (_match(p) if glob.has_magic(p) else [p] for p in patterns)
    return list(dict.fromkeys(path for some in found for path in some))


def entry(path: Path) -> Entry | None:
    """Look at a path; None: nothing is there, or this user cannot see it."""
    try:
        seen = path.stat()
    except OSError:
        return None
    kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFSOCK: Kind.SOCKET}
    return Entry(
        path=str(path),
        kind=kinds.get(stat.S_IFMT(seen.st_mode), Kind.OTHER),
        uid=seen.st_uid,
        gid=seen.st_gid,
        mode=stat.S_IMODE(seen.st_mode),
    )


def way_to(path: Path) -> tuple[Entry, ...]:
    """Look at the folders above a path, the root first."""
    return tuple(_seen(reversed(path.absolute().parents)))


def account(uid: int) -> Account:
    """Look up a user; one whom nobody knows has no groups."""
    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return Account(name=str(uid), uid=uid, gids=frozenset())
    groups = os.getgrouplist(known.pw_name, known.pw_gid)
    return Account(name=known.pw_name, uid=uid, gids=frozenset(groups))


def number(name: str) -> int | None:
    """Read a number of sysctl(8), by its path; None: the kernel has none of that name."""
    try:
        return int((Path("/proc/sys") / name).read_text())
    except (OSError, ValueError):
        return None


def _match(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern))  # noqa: PTH207 (an absolute pattern)


def _seen(folders: Iterable[Path]) -> Iterator[Entry]:
    for folder in folders:
        found = entry(folder)
        if found is None:
            return
        yield found


def _outcomes(path: str) -> Outcomes:
    file = entry(Path(path))
    return Outcomes(
        path=path,
        way=way_to(Path(path)),
        file=file,
        owner=account(file.uid) if file else None,
        named=_named(Path(path).stem),
    )


def _named(name: str) -> Account | None:
    try:
        return account(pwd.getpwnam(name).pw_uid)
    except KeyError:
        return None


def _me() -> Account:
    groups = frozenset((os.getegid(), *os.getgroups()))
    return Account(name=account(os.geteuid()).name, uid=os.geteuid(), gids=groups)


def _reads_all(pid: int | None) -> bool | None:
    """Say whether a process may read all files; None: there is none, or it cannot be seen."""
    if pid is None:
        return None
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return bool(int(lines["CapEff"], 16) & _PASS_OVER_MODES)
