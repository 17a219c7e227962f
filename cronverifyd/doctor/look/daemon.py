"""Whether a daemon runs on a state folder, and how it answers."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.config.addresses import is_loopback
from cronverifyd.doctor.facts import Door, Holder, Running, Unit
from cronverifyd.host.clocks import booted_at, read_clocks
from cronverifyd.host.table import process
from cronverifyd.state import CONTROL_SOCKET, LOCK
from cronverifyd.web.sockets import connect_unix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronverifyd.config.pieces import Config

_ANSWERS_WITHIN_S = 2.0
_SYSTEMCTL_WITHIN_S = 3.0
_UNIT = "cronverifyd.service"
_ASKED = ("LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "Result")
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (asked for, and not listened on)


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


def running(config: Config, held_by: Holder | None, refused_at: datetime | None) -> Running:
    """Ask the daemon, if one runs. `refused_at`: when it last told of a broken configuration."""
    state_dir = config.daemon.state_dir
    path = state_dir / CONTROL_SOCKET
    there = path.is_socket()
    silence = _ask_control(path) if there else "it is not there"
    doors = (("trigger", config.listen.trigger), ("status", config.listen.status))
    return Running(
        state_dir=str(state_dir),
        config=str(config.path),
        holder=held_by,
        socket=there,
        answers=silence is None,
        silence=silence,
        edited_at=datetime.fromtimestamp(config.path.stat().st_mtime, UTC),
        refused_at=refused_at,
        unit=unit() if has_systemd() else None,
        doors=tuple(_door(name, *address) for name, address in doors if address is not None),
    )


def unit(systemctl: str = "systemctl") -> Unit | None:
    """Ask systemd for the daemon's unit; None: it does not answer."""
    asked = [f"--property={','.join(_ASKED)}", _UNIT]
    try:
        done = subprocess.run(  # noqa: S603 (systemd's own program)
            [systemctl, "show", *asked],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_SYSTEMCTL_WITHIN_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    said = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    restarts = said.get("NRestarts", "")
    return Unit(
        load=said.get("LoadState", ""),
        active=said.get("ActiveState", ""),
        sub=said.get("SubState", ""),
        enabled=said.get("UnitFileState", ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
        result=said.get("Result", ""),
    )


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


def _ask_control(path: Path) -> str | None:
    """Ask the control socket for what it does not have: a daemon that lives refuses that.

    Give why there is no answer, or None.
    """
    try:
        with connect_unix(path, _ANSWERS_WITHIN_S) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = client.recv(5)
    except OSError as error:
        return error.strerror or "no answer in time"
    return None if answer == b"HTTP/" else "what answers is no daemon of ours"


def _door(name: str, host: str, port: int) -> Door:
    """Ask a listener whether it lives."""
    door = Door(name=name, host=host, port=port, loopback=is_loopback(host))
    connection = HTTPConnection(_ANYWHERE.get(host, host), port, timeout=_ANSWERS_WITHIN_S)
    try:
        connection.request("GET", "/healthz" if name == "trigger" else "/api/v1/status")
        return replace(door, status=connection.getresponse().status)
    except ConnectionRefusedError:
        return replace(door, refused=True)
    except (OSError, HTTPException) as error:
        words = getattr(error, "strerror", None) or type(error).__name__
        return replace(door, error=str(words))
    finally:
        connection.close()
