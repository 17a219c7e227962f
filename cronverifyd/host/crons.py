"""Whether the host's cron runs, and when it did not."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.host.clocks import booted_at
from cronverifyd.host.episodes import SHORTLY, Episodes
from cronverifyd.host.table import Process, all_is_seen, daemon, daemons, process
from cronverifyd.model import Span

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.host.clocks import Reading

NAMES = frozenset({"cron", "crond"})

_PID_FILES = (Path("/run/crond.pid"), Path("/run/cron.pid"))
_AT_BOOT = (
    ("/etc/systemd/system", "*.wants/cron*.service"),
    ("/etc", "rc[2-5].d/S??cron*"),
    ("/etc/runlevels", "*/cron*"),
)
"""What starts a cron at boot: systemd's units, SysV's links, OpenRC's."""

_SURE_AFTER_S = 5.0
"""A restart takes a moment in which there is no cron."""

_SEARCH_EVERY_S = 5.0
_SEARCH_IDLY_EVERY_S = 60.0
"""Reading every process's name takes 12 µs each; where no cron is expected, it is not urgent."""


class Crons:
    """The cron of this host, from the first look on.

    `names`: what a cron may be called; `uid`: whom it runs as.
    """

    def __init__(self, names: frozenset[str] = NAMES, uid: int = 0) -> None:
        self._names = names
        self._uid = uid
        self._gaps = Episodes()
        self._seen: Process | None = None
        self._seen_at: datetime | None = None
        self._missing_since_s: float | None = None
        self._searched_s: float | None = None
        self.running: bool | None = None
        """None: it cannot be known, or only one look has missed it."""
        self.expected = False
        """It ran before in this boot, or is set to be started at boot."""
        self.pid: int | None = None
        self.started_at: datetime | None = None
        self.missing_s: float | None = None

    @property
    def gaps(self) -> tuple[Span, ...]:
        """Give the times in which there was no cron, oldest first."""
        return self._gaps.spans

    def look(self, reading: Reading, now: datetime) -> None:
        """See whether the known one still runs, or another one."""
        if self._still_runs():
            self._note_running(reading, now)
            return
        if self._missing_since_s is None or self._is_time_to_search(reading.monotonic_s):
            self._searched_s = reading.monotonic_s
            found = self._find()
            if found is not None:
                self._arrived(found, booted_at(reading, now) + _since_boot(found))
                self._note_running(reading, now)
                return
            self.expected = self.expected or _is_set_to_run()
        self._note_missing(reading.monotonic_s, now)

    def _still_runs(self) -> bool:
        known = self._seen
        return known is not None and process(known.pid) == known

    def _find(self) -> Process | None:
        by_file = [_pid_in(path) for path in _PID_FILES]
        hinted = (daemon(pid, self._names, self._uid) for pid in by_file if pid is not None)
        found = next((each for each in hinted if each is not None), None)
        return found or next(iter(daemons(self._names, self._uid)), None)

    def _is_time_to_search(self, monotonic_s: float) -> bool:
        every_s = _SEARCH_EVERY_S if self.expected else _SEARCH_IDLY_EVERY_S
        return self._searched_s is None or monotonic_s - self._searched_s >= every_s

    def _arrived(self, found: Process, started_at: datetime) -> None:
        """Take note of a cron that was not there at the last look; it ends the gap before it."""
        last = self._seen_at
        if self._gaps.spans and self._gaps.spans[-1].until is None:
            lasting = self._gaps.spans[-1].since
            self._gaps.end(max(started_at, lasting))
        elif last is not None and last < started_at <= last + SHORTLY:
            self._gaps.add(Span(since=last, until=started_at, before=last))
        self._seen, self.started_at, self.pid = found, started_at, found.pid

    def _note_running(self, reading: Reading, now: datetime) -> None:
        self.running, self.expected = True, True
        self.missing_s = self._missing_since_s = None
        if self._seen is not None:
            self.started_at = booted_at(reading, now) + _since_boot(self._seen)
        self._seen_at = now
        self._gaps.see(is_so=False, now=now)

    def _note_missing(self, monotonic_s: float, now: datetime) -> None:
        self.pid = self.started_at = None
        if not all_is_seen():
            self.running = self.missing_s = None
            return
        if self._missing_since_s is None:
            self._missing_since_s = monotonic_s
        self.missing_s = monotonic_s - self._missing_since_s
        self._gaps.see(is_so=True, now=now)
        self.running = False if self.missing_s >= _SURE_AFTER_S else None


def _since_boot(seen: Process) -> timedelta:
    return timedelta(seconds=seen.start_ticks / os.sysconf("SC_CLK_TCK"))


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None


def _is_set_to_run() -> bool:
    """Say whether a cron ran before in this boot (/run is new at each), or is started at boot."""
    return any(path.exists() for path in _PID_FILES) or starts_at_boot()


def starts_at_boot() -> bool:
    """Say whether the host is set to start a cron at boot."""
    return any(
        not _is_masked(link.name)
        for folder, pattern in _AT_BOOT
        for link in Path(folder).glob(pattern)
    )


def _is_masked(unit: str) -> bool:
    """Say whether systemd is told never to start a unit (systemctl mask)."""
    try:
        return (Path("/etc/systemd/system") / unit).readlink() == Path("/dev/null")
    except OSError:
        return False
