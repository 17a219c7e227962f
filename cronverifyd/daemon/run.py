"""The daemon: one loop in the main thread, and the doorbells around it."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import socket
import sys
import time
from contextlib import ExitStack
from enum import Enum, auto
from typing import TYPE_CHECKING

from cronverifyd import state
from cronverifyd.config.load import load
from cronverifyd.config.secrets import resolve
from cronverifyd.cue.reports import tell
from cronverifyd.cue.wanted import Setting
from cronverifyd.cue.worker import Worker
from cronverifyd.daemon import build
from cronverifyd.daemon.bell import Bell
from cronverifyd.daemon.clock import read_clock
from cronverifyd.daemon.couriers import Couriers
from cronverifyd.daemon.edits import Edits, edition_of
from cronverifyd.daemon.poller import Poller
from cronverifyd.daemon.surveyor import survey
from cronverifyd.daemon.timer import TICK_S, Timer
from cronverifyd.daemon.watch import Watch
from cronverifyd.daemon.worker import Worker as Thread
from cronverifyd.engine.engine import Hands
from cronverifyd.errors import ConfigError, CronverifydError, StateError, UnavailableError
from cronverifyd.host.machine import Machine
from cronverifyd.host.rehearsal import rehearse
from cronverifyd.host.volumes import Volumes
from cronverifyd.model import (
    Beaten,
    Delivered,
    Delivery,
    DeliveryResult,
    Notice,
    NoticeKind,
    Reported,
    Severity,
    TriggeredBy,
)
from cronverifyd.report.proof import unproven
from cronverifyd.systemd import Supervisor
from cronverifyd.tell.redact import redacted
from cronverifyd.web import control, status, trigger
from cronverifyd.web.doors import Doors
from cronverifyd.web.hosts import keep_to, names_of
from cronverifyd.web.server import Server
from cronverifyd.web.sockets import bind_tcp, bind_unix

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from flask import Flask

    from cronverifyd.config.pieces import Config
    from cronverifyd.cue.client import CueApi
    from cronverifyd.daemon.bell import Envelope
    from cronverifyd.daemon.edits import Edition
    from cronverifyd.engine.engine import Engine
    from cronverifyd.intake.tail import Tail
    from cronverifyd.model import Measure, Measured, Rehearsal, Rehearsed, Report
    from cronverifyd.scope import Scope
    from cronverifyd.store.reader import Reader
    from cronverifyd.tell.heartbeat import Heartbeat

log = logging.getLogger(__name__)

_SILENCE_S = 4.0 * TICK_S

# A clean stop takes less than 2 s in all.
_COURIERS_STOP_WITHIN_S = 0.8
_WORKER_STOPS_WITHIN_S = 0.1
_WATCH_STOPS_WITHIN_S = 0.3
_SERVER_STOPS_WITHIN_S = 0.3


class Order(Enum):
    """What the daemon is told to do with itself."""

    STOP = auto()
    RELOAD = auto()
    DIE = auto()


def run(config_path: Path) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP or an edited file brings a new configuration into force.

    Raises ConfigError, LockedError or StateError for what keeps it from running.
    """
    os.umask(0o077)
    bell = Bell()
    _handle_signals(bell)
    edition = edition_of(config_path)
    life: Life | None = Life(load(config_path), edition, bell, Machine())
    while life is not None:
        with state.hold(life.config.daemon.state_dir):
            life = life.live()
    log.info("stopped")


def _end(engine: Engine) -> None:
    """Let the engine keep what the next process needs; where it cannot, that one reads more."""
    try:
        engine.end()
    except Exception:
        log.exception("the marks of the outcome files could not be kept")


def _handle_signals(bell: Bell) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bell.put(Order.STOP))
    signal.signal(signal.SIGHUP, lambda *_: bell.put(Order.RELOAD))


def _place(address: tuple[str, int] | None) -> str:
    return "nowhere" if address is None else "{}:{}".format(*address)


class Life:
    """One life of the daemon, under one configuration.

    `edition`: what the configuration file looked like before it was read.
    """

    def __init__(self, config: Config, edition: Edition, bell: Bell, host: Machine) -> None:
        self.config = config
        self._edits = Edits(edition)
        self._bell = bell
        self._host = host
        self._timer = Timer(bell)
        self._watch = Watch(bell)
        self._supervisor = Supervisor(os.environ)
        self._deaths: list[Exception] = []
        self._heartbeat: Heartbeat | None = None
        self._cue: CueApi | None = None

    def live(self) -> Life | None:
        """Serve until told to stop (None), or until a new configuration is in force (its life)."""
        for warning in self.config.warnings:
            log.warning("%s", warning)
        self._heartbeat = build.heartbeat(self.config)
        self._cue = build.cue(self.config)
        couriers = Couriers(build.senders(self.config, sys.stdout), self._bell.put)
        surveyor: Thread[Measure, Measured] = Thread("surveyor", survey, self._bell.put)
        rehearsals: Thread[Rehearsal, Rehearsed] = Thread("drill", self._rehearse, self._bell.put)
        heart: Thread[tuple[str, ...], Beaten] = Thread("heart", self._beat, self._bell.put)
        reports: Thread[Report, Reported] = Thread("reports", self._report, self._bell.put)
        workers = (surveyor, rehearsals, heart, reports)
        hands = Hands(
            send=couriers.hand_over,
            measure=surveyor.hand,
            rehearse=rehearsals.hand,
            beat=heart.hand,
            report=reports.hand,
        )
        with ExitStack() as stack:
            engine, tail = stack.enter_context(build.engine(self.config, hands, self._host))
            stack.callback(_end, engine)
            stack.callback(self._settle_rest, engine)
            for server in self._servers():
                stack.callback(server.stop, _SERVER_STOPS_WITHIN_S)
                server.start()
            stack.callback(self._stop_couriers, couriers)
            couriers.start()
            for worker in workers:
                stack.callback(worker.stop, _WORKER_STOPS_WITHIN_S)
                worker.start()
            if (poller := self._poller()) is not None:
                stack.callback(poller.stop, _WORKER_STOPS_WITHIN_S)
                poller.start()
            stack.callback(self._watch.stop, _WATCH_STOPS_WITHIN_S)
            self._watch.start()
            stack.callback(self._timer.stop)
            self._timer.start()
            engine.begin(read_clock())
            self._bell.ring(TriggeredBy.START)
            return self._loop(engine, tail)

    def _loop(self, engine: Engine, tail: Tail) -> Life | None:
        ready = False
        while True:
            envelope = self._bell.take(_SILENCE_S)
            if envelope.message is Order.STOP:
                self._supervisor.tell("STOPPING=1")
                return None
            if envelope.message is Order.DIE:
                raise StateError(f"a thread died: {self._deaths[0]}") from self._deaths[0]
            if envelope.message is Order.RELOAD:
                next_life = self._reload(engine, asked=True)
            else:
                ready = self._turn(engine, tail, envelope) and (ready or self._ready())
                next_life = self._reload(engine, asked=False)
            if next_life is not None:
                return next_life

    def _turn(self, engine: Engine, tail: Tail, envelope: Envelope) -> bool:
        """Do one message's unit of work; False if it failed."""
        if envelope.reply is not None and not envelope.reply.set_running_or_notify_cancel():
            return True  # nobody waits for the answer any more
        try:
            answer = engine.handle(envelope.message, read_clock())  # type: ignore[arg-type]
        except CronverifydError as error:
            if envelope.reply is not None:
                envelope.reply.set_exception(error)
            return True
        except Exception as error:
            # The loop's edge: a full disk or a bad row must not end the watch over other jobs.
            log.exception("unit of work failed message=%s", type(envelope.message).__name__)
            if envelope.reply is not None:
                envelope.reply.set_exception(UnavailableError(f"could not judge now: {error}"))
            return False
        if envelope.reply is not None and answer is not None:
            envelope.reply.set_result(answer)
        if engine.backlog:
            self._bell.ring(TriggeredBy.FILE)
        self._watch.follow(tail.folders() | {self.config.path.absolute().parent})
        self._timer.ring_at(engine.next_moment())
        self._bell.turned()
        self._supervisor.tell("WATCHDOG=1")
        return True

    def _ready(self) -> bool:
        """Say, once, that everything written before the start has been read and judged."""
        trigger_at = self.config.listen.trigger
        watched = sum(job.enabled for job in self.config.jobs.values())
        log.info(
            "ready jobs=%d trigger=%s status=%s state=%s",
            watched,
            _place(trigger_at),
            _place(self.config.listen.status),
            self.config.daemon.state_dir,
        )
        self._supervisor.tell(f"READY=1\nSTATUS=watching {watched} jobs")
        return True

    def _poller(self) -> Poller | None:
        """Make the worker's thread, with a client of its own; None with another transport."""
        client = build.cue(self.config) if self.config.cueapi.transport == "worker" else None
        if client is None:
            return None
        setting = Setting(instance=self.config.daemon.instance, transport="worker")
        return Poller(Worker(client, self._bell, setting.task), self._die)

    def _servers(self) -> list[Server]:
        """Bind the doors. Raises ConfigError for a port that cannot be had."""
        control_path = self.config.daemon.state_dir / state.CONTROL_SOCKET
        doors = [("control", control.create_app(self._bell), bind_unix(control_path))]
        if self.config.listen.trigger is not None:
            app = trigger.create_app(self._bell, self._doors(), read_clock)
            doors.append(("trigger", app, bind_tcp(*self.config.listen.trigger)))
        if (listener := self._status_listener()) is not None:
            doors.append(("status", self._status_app(), listener))
        return [Server(name, app, listener, self._die) for name, app, listener in doors]

    def _status_listener(self) -> socket.socket | None:
        """Bind the status listener; that its port is taken is no reason not to watch."""
        if self.config.listen.status is None:
            return None
        try:
            return bind_tcp(*self.config.listen.status)
        except ConfigError as error:
            log.error("no status page: %s hint=%s", error, error.remedy)  # noqa: TRY400
            return None

    def _status_app(self) -> Flask:
        listen = self.config.listen
        app = status.create_app(self.config.scope(), read_clock, self._bell.alive, self._unproven)
        names = names_of(*(listen.status or ("", 0)), socket.gethostname())
        keep_to(app, names | listen.names)
        return app

    def _unproven(self, scope: Scope, reader: Reader, now: datetime) -> tuple[str, ...]:
        """Say which links are not proven, the disks included, as this thread sees them."""
        paths = (str(scope.state_dir), *scope.outcomes)
        return unproven(scope, reader, now, Volumes().look(paths, now))

    def _doors(self) -> Doors:
        cueapi = self.config.cueapi
        signing = tuple(resolve(secret, os.environ) for secret in cueapi.signing_secrets)
        shared = resolve(cueapi.shared_secret, os.environ) if cueapi.shared_secret else None
        if not signing and shared is None:
            shared, made = state.trigger_secret(self.config.daemon.state_dir)
            if made:
                path = self.config.daemon.state_dir / state.TRIGGER_SECRET
                log.warning("no secret is configured for the trigger: made one, see %s", path)
        return Doors(signing, shared)

    def _rehearse(self, rehearsal: Rehearsal) -> Rehearsed:
        return rehearse(rehearsal, self.config.daemon.outcomes)

    def _beat(self, faults: tuple[str, ...]) -> Beaten:
        """Tell the heartbeat's address; whatever goes wrong is what came of it."""
        try:
            error = self._heartbeat.beat(faults) if self._heartbeat else None
        except Exception as unforeseen:  # noqa: BLE001 (the thread's edge: it beats again)
            error = f"the heartbeat failed: {type(unforeseen).__name__}"
        if error is not None:
            log.warning("heartbeat not taken error=%s", error)
        return Beaten(error=error)

    def _report(self, report: Report) -> Reported:
        """Tell CueAPI what came of an execution; whatever goes wrong is what came of it."""
        if self._cue is None:
            delivery = Delivery(result=DeliveryResult.REFUSED, error="there is no API key")
            return Reported(execution=report.execution, delivery=delivery)
        try:
            return tell(self._cue, report, redacted)
        except Exception as error:  # noqa: BLE001 (the thread's edge: it is tried again)
            what = f"the report failed: {type(error).__name__}"
            delivery = Delivery(result=DeliveryResult.RETRY, error=what)
            return Reported(execution=report.execution, delivery=delivery)

    def _die(self, error: Exception) -> None:
        self._deaths.append(error)
        self._bell.put(Order.DIE)

    def _reload(self, engine: Engine, *, asked: bool) -> Life | None:
        """Read an edited configuration; None where nothing changed or the new one is broken.

        A broken one leaves the old one in force, and is told.
        """
        edition = edition_of(self.config.path)
        if not self._edits.is_new(edition, time.monotonic()) and not asked:
            return None
        self._edits.known = edition
        try:
            next_life = Life(load(self.config.path), edition, self._bell, self._host)
            next_life.rehearse(self.config)
        except CronverifydError as error:
            log.error("configuration not reloaded: %s", error)  # noqa: TRY400 (a user's mistake)
            engine.notify(self._broken(error), read_clock())
            return None
        log.info("configuration reloaded path=%s", self.config.path)
        return next_life

    def rehearse(self, before: Config) -> None:
        """Raise the CronverifydError that would keep this life from beginning.

        `before`: the configuration in force, which holds its own port and state folder.
        """
        build.senders(self.config, sys.stdout)
        build.heartbeat(self.config)
        build.cue(self.config)
        if self.config.daemon.state_dir != before.daemon.state_dir:
            with state.hold(self.config.daemon.state_dir):
                pass
        if self.config.listen.trigger is not None:
            self._doors()
        trigger_at = self.config.listen.trigger
        if trigger_at and trigger_at not in {before.listen.trigger, before.listen.status}:
            bind_tcp(*trigger_at).close()

    def _broken(self, error: CronverifydError) -> Notice:
        digest = hashlib.blake2b(str(error).encode(), digest_size=8).hexdigest()
        return Notice(
            id=f"config-{digest}-{self._edits.known}",
            kind=NoticeKind.CONFIG,
            instance=self.config.daemon.instance,
            severity=Severity.WARNING,
            title=f"{self.config.path} is broken; the configuration before it stays in force",
            text=str(error),
            remedy=f"mend it; cronverifyd config check --config {self.config.path} lists all",
            created_at=read_clock(),
        )

    def _stop_couriers(self, couriers: Couriers) -> None:
        for channel in couriers.stop(_COURIERS_STOP_WITHIN_S):
            log.warning("did not stop in time channel=%s hint=it is told again later", channel)

    def _settle_rest(self, engine: Engine) -> None:
        """Record what the couriers reported last, and let go of those who wait for an answer."""
        for envelope in self._bell.drain():
            if isinstance(envelope.message, Delivered):
                engine.settle(envelope.message, read_clock())
            elif envelope.reply is not None:
                envelope.reply.set_exception(UnavailableError("the daemon is stopping"))
            elif isinstance(envelope.message, Order):
                self._bell.put(envelope.message)
