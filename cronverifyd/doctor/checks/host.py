"""Whether the host starts jobs, at the time that is meant, and lets their outcomes be kept."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from cronverifyd.doctor.finding import bad, ok, warning
from cronverifyd.judge.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cronverifyd.doctor.facts import Clock, Cron, Disk, Limits, Zone
    from cronverifyd.doctor.finding import Finding

_LITTLE_BYTES = 200_000_000
_LITTLE_PART = 0.05
_STEP_S = 5.0
_AHEAD_S = 60.0
_FEW_WATCHES = 64
_FEW_INSTANCES = 16
_OPEN_BESIDES = 100
"""What the daemon opens beside outcome files: database, listeners and their connections."""


def cron(found: Cron, *, systemd: bool) -> Iterator[Finding]:
    """Say whether cron runs, and will after a reboot."""
    name = found.service or "cron"
    start = f"systemctl enable --now {name}" if systemd else f"service {name} start"
    if found.running is None:
        yield warning("cron", "the processes of other users are hidden", "sudo cronverifyd doctor")
    elif found.running:
        yield ok("cron", f"cron runs (pid {found.pid})")
    elif found.service:
        yield bad("cron", f"{name} is installed and not running: no job is started", start)
    else:
        text = "no cron is installed: jobs are started only if something else does that"
        yield warning("cron", text, "apt-get install cron || dnf install cronie")
    if found.service and not found.at_boot:
        enable = f"systemctl enable {name}" if systemd else f"update-rc.d {name} defaults"
        yield warning("cron", f"{name} is not started at boot", enable)


def disks(found: Iterable[Disk]) -> Iterator[Finding]:
    """Say whether there is room to write outcomes and verdicts."""
    for disk in found:
        volume, mount = disk.volume, quote(disk.mount)
        free = f"{volume.free_bytes / 1e6:.0f} MB of {volume.size_bytes / 1e6:.0f} MB are free"
        largest = f"du -xh --max-depth=2 {mount} | sort -h | tail -n 20"
        if disk.read_only:
            text = f"{volume.path}: its file system {disk.mount} is read-only"
            yield bad("disk", text, f"mount -o remount,rw {mount}")
        elif disk.full and volume.free_inodes == 0:
            text = f"{volume.path}: {disk.mount} has no room for another file"
            yield bad("disk", text, f"du --inodes -x --max-depth=2 {mount} | sort -n | tail -n 20")
        elif disk.full:
            yield bad("disk", f"{volume.path}: {disk.mount} is full: {free}", largest)
        elif volume.free_bytes < min(_LITTLE_BYTES, volume.size_bytes * _LITTLE_PART):
            yield warning("disk", f"{volume.path}: {disk.mount} is nearly full: {free}", largest)
        else:
            yield ok("disk", f"{volume.path}: {free} on {disk.mount}")


def clock(found: Clock) -> Iterator[Finding]:
    """Say whether the clock can be believed."""
    faults = list(_clock_faults(found))
    yield from faults
    if not faults:
        kept = " and kept synchronised" if found.synchronised else ""
        yield ok("clock", f"the clock is steady{kept}")


def _clock_faults(found: Clock) -> Iterator[Finding]:
    if found.synchronised is False:
        text = "nothing keeps the clock right: it drifts away from those of CueAPI and people"
        yield warning("clock", text, "timedatectl set-ntp true || apt-get install chrony")
    if found.newest is not None:
        ahead_s = (found.newest - found.now).total_seconds()
        if ahead_s > _AHEAD_S:
            text = f"the clock is {format_duration(round(ahead_s))} behind what was written last"
            yield bad("clock", f"{text}: it was set back", "date; timedatectl set-ntp true")
    if found.booted_at is not None and found.booted_then is not None:
        by_s = (found.booted_at - found.booted_then).total_seconds()
        if abs(by_s) > _STEP_S:
            way = "forward" if by_s > 0 else "back"
            text = f"the clock was set {way} by {format_duration(round(abs(by_s)))} since the boot"
            yield warning(
                "clock", text, "journalctl -b | grep -i -e 'time has been changed' -e ntp"
            )


def zone(found: Zone, cron_runs: Cron) -> Iterator[Finding]:
    """Say whether cron starts jobs at the wall times that the configuration means."""
    if found.host is None:
        text = "the host's time zone cannot be told: when cron starts jobs is not known"
        yield warning("zone", text, "timedatectl set-timezone UTC")
        return
    other = {name: where for name, (where, of) in found.jobs.items() if of != found.offsets}
    if other:
        few = ", ".join(f"{name} ({where})" for name, where in sorted(other.items())[:5])
        more = f" and {len(other) - 5} more" if len(other) > 5 else ""
        text = (
            f"cron goes by {found.host}, but these jobs are expected by other zones: {few}{more};"
            " that is right only under a cron that is told so (CRON_TZ)"
        )
        yield warning("zone", text, f'set timezone = "{found.host}" in [daemon] and these jobs')
    else:
        yield ok("zone", f"host and jobs go by the times of {found.host}")
    started = cron_runs.started_at
    if started is not None and found.set_at is not None and found.set_at > started:
        name = cron_runs.service or "cron"
        text = "/etc/localtime was set after cron was started, which still goes by the zone before"
        yield bad("zone", text, f"service {name} restart")


def limits(found: Limits) -> Iterator[Finding]:
    """Say whether the kernel gives as much as the daemon needs."""
    faults = [*_inotify(found), *_open_files(found)]
    yield from faults
    if not faults:
        text = f"{found.watches} watches, {found.instances} instances of inotify"
        yield ok("limits", f"{text}; {found.whose} may open {found.open_files} files")


def _inotify(found: Limits) -> Iterator[Finding]:
    for what, has, needs in (
        ("watches", found.watches, found.folders + _FEW_WATCHES),
        ("instances", found.instances, _FEW_INSTANCES),
    ):
        if has is not None and has < needs:
            name = f"fs.inotify.max_user_{what}"
            text = f"{name} is {has}: new lines may be seen only once a second, and not at once"
            yield warning("limits", text, f"sysctl -w {name}=8192")


def _open_files(found: Limits) -> Iterator[Finding]:
    needs = 2 * found.files + _OPEN_BESIDES
    if found.open_files is not None and found.open_files < needs:
        text = f"{found.whose} may open {found.open_files} files; {found.files} outcome files"
        remedy = f"ulimit -n {4 * needs}, or LimitNOFILE={4 * needs} in cronverifyd.service"
        yield bad("limits", f"{text} need {needs}", remedy)
