"""Look at a whole installation: gather facts, and let the checks say what they mean."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from shlex import quote
from typing import TYPE_CHECKING

from cronverifyd.config.load import load
from cronverifyd.doctor.checks import daemon as check_daemon
from cronverifyd.doctor.checks import database as check_database
from cronverifyd.doctor.checks import files as check_files
from cronverifyd.doctor.checks import host as check_host
from cronverifyd.doctor.checks import reach as check_reach
from cronverifyd.doctor.checks import wrapper as check_wrapper
from cronverifyd.doctor.finding import bad, warning
from cronverifyd.doctor.look import daemon as look_daemon
from cronverifyd.doctor.look import files as look_files
from cronverifyd.doctor.look import host as look_host
from cronverifyd.doctor.look import past as look_past
from cronverifyd.doctor.look import reach as look_reach
from cronverifyd.doctor.look import wrapper as look_wrapper
from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from cronverifyd.config.pieces import Config
    from cronverifyd.doctor.facts import Holder
    from cronverifyd.doctor.finding import Finding

_AT_ONCE = 4

Step = tuple[str, "Callable[[], Iterable[Finding]]"]


def examine(path: Path, now: datetime) -> Iterator[Finding]:
    """Examine the installation of a configuration file.

    1. Read the configuration, with the environment of the daemon that holds its state, where that
       can be seen: its secrets are found there. A broken one is a finding.
    2. Go through the subjects, some at once: what does not answer costs some seconds. One that
       cannot be looked at stops no other.
    """
    try:
        config = load(path)
        holder = look_daemon.holder(config.daemon.state_dir, now)
        environ = look_daemon.environ(holder)
        config = load(path, environ=environ)
    except ConfigError as error:
        yield from _broken(error, path)
        return
    yield from _warnings(config)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for found in pool.map(_go, _steps(config, holder, environ, now)):
            yield from found


def _go(step: Step) -> list[Finding]:
    subject, look_and_check = step
    try:
        return list(look_and_check())
    except OSError as error:
        return [warning(subject, f"cannot be looked at: {error}", "sudo cronverifyd doctor")]


def _steps(
    config: Config, holder: Holder | None, environ: Mapping[str, str], now: datetime
) -> tuple[Step, ...]:
    """Give the subjects, in the order in which they are shown."""
    pid = holder.pid if holder else None
    cron = look_host.cron(now)
    past = look_past.past(config.daemon.state_dir)
    refused_at = past.config_refused_at
    return (
        ("files", lambda: check_files.check(look_files.look(config, pid))),
        ("disk", lambda: check_host.disks(look_host.disks(config, now))),
        ("cron", lambda: check_host.cron(cron, systemd=look_daemon.has_systemd())),
        ("clock", lambda: check_host.clock(look_host.clock(now, past.boots, past.newest))),
        ("zone", lambda: check_host.zone(look_host.zone(config, now), cron)),
        ("limits", lambda: check_host.limits(look_host.limits(config, pid))),
        ("database", lambda: check_database.check(past.database)),
        ("daemon", lambda: check_daemon.check(look_daemon.running(config, holder, refused_at))),
        ("wrapper", lambda: check_wrapper.check(look_wrapper.look())),
        ("channel", lambda: check_reach.ways(look_reach.ways(config, past, environ), now)),
        ("cueapi", lambda: check_reach.cues(look_reach.cues(config, environ))),
        ("webhook", lambda: check_reach.webhook(look_reach.webhook(config))),
    )


def _broken(error: ConfigError, path: Path) -> Iterator[Finding]:
    """Tell of each problem of a configuration; its remedy stands at its end, if it has one."""
    for line in str(error).splitlines():
        what, _, remedy = line.partition("; try: ")
        yield bad(
            "config",
            what,
            remedy or error.remedy or f"cronverifyd config check --config {quote(str(path))}",
        )


def _warnings(config: Config) -> Iterator[Finding]:
    for line in config.warnings:
        what, _, remedy = line.partition("; try: ")
        yield warning("config", what, remedy or None)
