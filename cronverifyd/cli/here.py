"""Do what a command asks for: by the daemon that runs, or here, under its lock."""

from __future__ import annotations

import os
import pwd
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from cronverifyd.errors import CronverifydError, StateError, UnavailableError, UnknownJobError
from cronverifyd.model import DeliveryResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.config.pieces import Config
    from cronverifyd.engine.engine import Engine
    from cronverifyd.model import Delivered, Measure, Message

_DAEMON_ANSWERS_WITHIN_S = 30.0
_NOBODY_LISTENS = (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)


def ask_daemon(config: Config, path: str, payload: dict[str, Any]) -> dict[str, Any] | None:
    """Let the daemon do it; None if there is none. Raises CronverifydError where it refuses."""
    from cronverifyd.state import CONTROL_SOCKET
    from cronverifyd.web.client import ask_daemon as ask

    socket = config.daemon.state_dir / CONTROL_SOCKET
    try:
        status, document = ask(socket, path, payload, _DAEMON_ANSWERS_WITHIN_S)
    except StateError as error:
        if isinstance(error.__cause__, _NOBODY_LISTENS):
            return None
        raise
    if status != 200:
        raise _error(status, str(document.get("error", "no reason given")))
    return document


def _error(status: int, words: str) -> CronverifydError:
    match status:
        case 404:
            return UnknownJobError(words, remedy="cronverifyd status lists the jobs")
        case 409:
            return CronverifydError(words, remedy="cronverifyd status shows what is open")
        case 503:
            remedy = "look at the daemon's log: journalctl -u cronverifyd"
            return UnavailableError(words, remedy=remedy)
        case _:
            return CronverifydError(f"the daemon refused: {words}")


class Here:
    """An engine in this process, with the hands that it needs."""

    def __init__(self, config: Config) -> None:
        from cronverifyd.daemon import build

        self._senders = build.senders(config, sys.stderr)
        self.waiting: list[tuple[str, tuple[str, ...], Message]] = []
        self.unmeasured: list[Measure] = []
        self.engine: Engine

    def measure(self) -> bool:
        """Measure what runs have made; False if there was nothing to measure."""
        from cronverifyd.daemon.clock import read_clock
        from cronverifyd.daemon.surveyor import survey

        had = bool(self.unmeasured)
        while self.unmeasured:
            self.engine.handle(survey(self.unmeasured.pop(0)), read_clock())
        return had

    def tell(self) -> None:
        """Send what has to be told, once; say on stderr what did not arrive."""
        from cronverifyd.daemon.clock import read_clock
        from cronverifyd.daemon.couriers import attempt

        while self.waiting:
            channel, rows, message = self.waiting.pop(0)
            delivered = attempt(channel, self._senders[channel], rows, message)
            self.engine.handle(delivered, read_clock())
            _say_what_failed(delivered)


@contextmanager
def here(config: Config) -> Iterator[Here]:
    """Open an engine in this process, under the daemon's lock, as the state folder's owner."""
    from cronverifyd import state
    from cronverifyd.daemon import build
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.engine.engine import Hands
    from cronverifyd.host.machine import Machine

    # What happens by itself, week by week or minute by minute, is a daemon's business.
    config = replace(config, alerts=replace(config.alerts, drills=False), heartbeat=None)
    state.become_owner(config.daemon.state_dir)
    os.umask(0o077)  # as the daemon does: the output of jobs is nobody else's business
    mine = Here(config)
    hands = Hands(
        send=lambda *handed: mine.waiting.append(handed),
        measure=mine.unmeasured.append,
        rehearse=_leave,
        report=_leave,
        beat=_leave,
    )
    with state.hold(config.daemon.state_dir), build.engine(config, hands, Machine()) as (engine, _):
        mine.engine = engine
        engine.begin(read_clock())
        yield mine
        mine.tell()
        engine.end()


def _leave(_: object) -> None:
    """Leave to a daemon what only one that goes on running can do."""


def who() -> str:
    """Name the person who types: the one behind sudo, else this user."""
    if name := os.environ.get("SUDO_USER"):
        return name[:200]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _say_what_failed(delivered: Delivered) -> None:
    result, error = delivered.delivery.result, delivered.delivery.error
    if result is not DeliveryResult.SENT:
        click.echo(f"cronverifyd: channel {delivered.channel} was not told: {error}", err=True)
    if result is DeliveryResult.RETRY:
        click.echo("try: cronverifyd check again; a daemon tries by itself", err=True)
