"""What the host gives: cron, clock, time zone, room on disks, and the kernel's limits."""

from __future__ import annotations

import ctypes
import os
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tzlocal import get_localzone_name

from cronverifyd.doctor.facts import Clock, Cron, Disk, Limits, Zone
from cronverifyd.doctor.look.files import number, paths
from cronverifyd.host.clocks import booted_at, read_clocks
from cronverifyd.host.crons import Crons, starts_at_boot
from cronverifyd.host.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cronverifyd.config.pieces import Config

_CRONS = ("/usr/sbin/cron", "/usr/sbin/crond", "/usr/bin/crond")
_LOCALTIME = Path("/etc/localtime")

# adjtimex(2): `struct timex` has 208 bytes; with modes = 0 it is only read. `status` stands behind
# `modes` and four longs; STA_UNSYNC is one of its bits.
_TIMEX_BYTES = 208
_TIMEX_STATUS = 40
_STA_UNSYNC = 0x0040


def disks(config: Config, now: datetime) -> tuple[Disk, ...]:
    """Look at the file systems of state and outcome files, each once."""
    wanted = (str(config.daemon.state_dir), *paths(config.daemon.outcomes))
    found = {each.device: each for each in reversed(Volumes().look(wanted, now))}
    return tuple(
        Disk(
            volume=each,
            mount=_mount(Path(each.path)),
            read_only=bool(each.read_only),
            full=bool(each.full),
        )
        for each in found.values()
    )


def cron(now: datetime) -> Cron:
    """Look for the host's cron."""
    crons = Crons()
    crons.look(read_clocks(), now)
    installed = next((path for path in _CRONS if os.access(path, os.X_OK)), None)
    seen = crons.running is True or crons.missing_s is not None
    return Cron(
        running=crons.running is True if seen else None,
        service=Path(installed).name if installed else None,
        at_boot=starts_at_boot(),
        pid=crons.pid,
        started_at=crons.started_at,
    )


def clock(now: datetime, boots: Mapping[str, datetime], newest: datetime | None) -> Clock:
    """Look at the clock. `boots`, `newest`: what the daemon has written down of it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return Clock(
        now=now,
        synchronised=_synchronised(),
        booted_at=booted_at(read_clocks(), now),
        booted_then=boots.get(boot),
        newest=newest,
    )


def zone(config: Config, now: datetime) -> Zone:
    """Compare the host's time zone with those of the jobs, over a year."""
    moments = [now + timedelta(days=each) for each in range(0, 365, 30)]
    try:
        host = get_localzone_name()
    except (OSError, ValueError, LookupError):
        host = None
    jobs = {name: job.timezone for name, job in config.jobs.items() if job.enabled}
    return Zone(
        host=host,
        offsets=_offsets(host, moments) if host else (),
        jobs={name: (where, _offsets(where, moments)) for name, where in jobs.items()},
        set_at=_set_at(),
    )


def limits(config: Config, daemon_pid: int | None) -> Limits:
    """Look at the kernel's limits; that on open files is the daemon's, or our own."""
    files = paths(config.daemon.outcomes)
    folders = {Path(each).parent for each in (*files, str(config.path.absolute()))}
    whose = f"the daemon (pid {daemon_pid})" if daemon_pid else "this user"
    try:
        soft, _ = resource.prlimit(daemon_pid or 0, resource.RLIMIT_NOFILE)
    except OSError:
        soft = -1
    return Limits(
        watches=number("fs/inotify/max_user_watches"),
        instances=number("fs/inotify/max_user_instances"),
        open_files=None if soft < 0 else soft,
        whose=whose,
        folders=len(folders),
        files=len(files),
    )


def _mount(path: Path) -> str:
    above: Iterable[Path] = (path, *path.parents)
    return str(next((each for each in above if each.is_mount()), Path("/")))


def _synchronised() -> bool | None:
    """Ask the kernel whether something keeps its clock right (adjtimex(2))."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    if ctypes.CDLL(None).adjtimex(timex) < 0:
        return None
    status = int.from_bytes(timex.raw[_TIMEX_STATUS : _TIMEX_STATUS + 4], "little")
    return not status & _STA_UNSYNC


def _offsets(zone: str, moments: Sequence[datetime]) -> tuple[float, ...]:
    where = ZoneInfo(zone)
    shifts = (moment.astimezone(where).utcoffset() for moment in moments)
    return tuple(shift.total_seconds() if shift else 0.0 for shift in shifts)


def _set_at() -> datetime | None:
    """Say when the link was made: an update of the zones' data changes only what it leads to."""
    try:
        return datetime.fromtimestamp(_LOCALTIME.lstat().st_mtime, UTC)
    except OSError:
        return None
