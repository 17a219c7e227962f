"""Whether a daemon runs, answers, and goes by the configuration that stands in its file."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from cronverifyd.doctor.finding import bad, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.doctor.facts import Door, Holder, Running, Unit
    from cronverifyd.doctor.finding import Finding

_MANY_RESTARTS = 5
_LOG = "journalctl -u cronverifyd -n 50"


def check(found: Running) -> Iterator[Finding]:
    """Say whether the daemon lives, as its lock, its socket, systemd and its listeners show it."""
    if found.holder is None:
        yield from _without(found)
    else:
        yield from _with(found, found.holder)
    if found.unit is not None:
        yield from _unit(found.unit)
    for door in found.doors:
        yield from _door(door, found)


def _start(found: Running) -> str:
    if found.unit is not None and found.unit.load == "loaded":
        return "systemctl start cronverifyd"
    return f"cronverifyd run --config {quote(found.config)}"


def _without(found: Running) -> Iterator[Finding]:
    if found.answers:
        text = f"a daemon answers, and holds no lock of {found.state_dir}: it was made anew"
        yield bad("daemon", text, "systemctl restart cronverifyd")
        return
    text = f"no daemon holds {found.state_dir}: nothing is verified"
    if found.socket:
        text += "; the control socket is left over from the last one"
    yield warning("daemon", text, _start(found))


def _with(found: Running, holder: Holder) -> Iterator[Finding]:
    if found.silence is not None and "denied" in found.silence:
        text = f"a daemon runs (pid {holder.pid}); its control socket is not for this user"
        yield warning("daemon", text, "sudo cronverifyd doctor")
    elif found.silence is not None:
        text = f"the process {holder.pid} holds the state, and its control socket gives no answer"
        yield bad("daemon", f"{text}: {found.silence}", f"kill {holder.pid}; {_start(found)}")
    else:
        yield ok("daemon", f"a daemon runs (pid {holder.pid}) and answers")
    edited, refused = found.edited_at, found.refused_at
    if edited is not None and refused is not None and refused >= edited:
        text = f"the daemon did not take {found.config} as it stands; the one before is in force"
        yield bad("daemon", text, f"cronverifyd alerts; kill -HUP {holder.pid}; {_LOG}")


def _unit(unit: Unit) -> Iterator[Finding]:
    name = "cronverifyd.service"
    if unit.load != "loaded":
        text = f"systemd has no {name}: after a reboot no daemon is started"
        yield warning("systemd", text, f"systemctl status {name}; systemctl daemon-reload")
        return
    faults = list(_unit_faults(unit, name))
    yield from faults
    if not faults:
        yield ok("systemd", f"{name} is {unit.active} ({unit.sub}) and {unit.enabled}")


def _unit_faults(unit: Unit, name: str) -> Iterator[Finding]:
    if unit.active == "failed":
        text = f"{name} has failed ({unit.result}), and is not started again"
        again = "systemctl reset-failed cronverifyd; systemctl start cronverifyd"
        yield bad("systemd", text, f"{again}; {_LOG}")
    elif unit.active not in {"active", "reloading"}:
        yield warning("systemd", f"{name} is {unit.active}", "systemctl start cronverifyd")
    if unit.enabled not in {"enabled", "enabled-runtime", "static"}:
        text = f"{name} is {unit.enabled or 'not enabled'}: it is not started at boot"
        yield warning("systemd", text, "systemctl enable cronverifyd")
    if unit.restarts >= _MANY_RESTARTS:
        yield warning("systemd", f"systemd has restarted {name} {unit.restarts} times", _LOG)


def _door(door: Door, found: Running) -> Iterator[Finding]:
    where = f"[{door.host}]:{door.port}" if ":" in door.host else f"{door.host}:{door.port}"
    shown = f"the {door.name} listener {where}"
    if found.holder is None:
        yield from _closed(door, shown)
    elif door.refused or door.error:
        text = f"{shown} does not answer: {door.error or 'nobody listens'}"
        yield bad("listener", text, f"ss -ltnp 'sport = :{door.port}'; {_LOG}")
    elif door.name == "trigger" and door.status != 200:
        text = f"{shown} answers {door.status}: the main loop does not turn, or it is not ours"
        yield bad("listener", text, f"ss -ltnp 'sport = :{door.port}'; {_LOG}")
    else:
        yield ok("listener", f"{shown} answers {door.status}")
    if not door.loopback:
        yield warning("listener", *_open_to_all(door, shown))


def _closed(door: Door, shown: str) -> Iterator[Finding]:
    """See that nobody else has a port that the daemon will need."""
    if door.refused:
        yield ok("listener", f"{shown} is free for the daemon")
    else:
        said = door.error or f"it answers {door.status}"
        text = f"{shown} is in other hands while no daemon runs: {said}"
        yield bad("listener", text, f"ss -ltnp 'sport = :{door.port}'")


def _open_to_all(door: Door, shown: str) -> tuple[str, str]:
    if door.name == "trigger":
        text = f"{shown} can be reached from other hosts; a tunnel needs only loopback"
    else:
        text = f"{shown} shows the output of jobs to other hosts"
    return text, f'{door.name} = "127.0.0.1:{door.port}" in [listen]'
