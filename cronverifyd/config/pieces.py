"""The configuration as frozen pieces; each part of the daemon is given its own."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cronverifyd.model import Channel, Job, Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Daemon:
    """Where the daemon keeps and finds things, and how it calls itself.

    `outcomes`: absolute glob patterns; a plain file is the pattern that matches only itself.
    `timezone`: an IANA name, for jobs that name none.
    """

    state_dir: Path
    outcomes: tuple[str, ...]
    timezone: str
    instance: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Listen:
    """Where the listeners listen: host and port, or None for nowhere. IPv6 without brackets.

    `names`: what else the status listener is called, as a Host header has it.
    """

    trigger: tuple[str, int] | None
    status: tuple[str, int] | None
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Cueapi:
    """How CueAPI and this host reach each other, and by what its deliveries are known.

    `transport`: off, webhook or worker. `base_url`: where its API is, without a slash at the end.
    `webhook_url`: where it delivers to. `api_key`: opens the whole account; to receive deliveries
    needs none. `shared_secret` None: none is configured. `fallback_after_s`: how long the local
    timer waits for the trigger; 0: it does not.
    """

    transport: str
    base_url: str
    webhook_url: str | None
    api_key: Secret | None
    signing_secrets: tuple[Secret, ...]
    shared_secret: Secret | None
    fallback_after_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Alerts:
    """How people are told. `second`: channels that are told what another one did not take.

    `remind_s`: how long after its opening, each time, an open incident is told again; the last one
    is repeated. `gather_s`: what follows so soon after a message is told together. `drills`: every
    channel is sent a line a week.
    """

    second: tuple[str, ...]
    remind_s: tuple[float, ...]
    gather_s: float
    drills: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Heart:
    """Who is told that the chain holds, and how often."""

    url: Secret
    every_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """All of one configuration file; `path` as the user gave it.

    `route`: the channels of those who name none. `warnings`: sentences, with their places, about
    what works but is hardly meant.
    """

    path: Path
    daemon: Daemon
    listen: Listen
    cueapi: Cueapi
    channels: Mapping[str, Channel]
    jobs: Mapping[str, Job]
    route: tuple[str, ...]
    alerts: Alerts
    heartbeat: Heart | None
    warnings: tuple[str, ...]

    def scope(self) -> Scope:
        """Cut out what is watched and who is told."""
        waits = self.cueapi.transport != "off"
        return Scope(
            jobs=self.jobs,
            channels=self.channels,
            default_route=self.route,
            instance=self.daemon.instance,
            state_dir=self.daemon.state_dir,
            outcomes=tuple(p for p in self.daemon.outcomes if not glob.has_magic(p)),
            gather=timedelta(seconds=self.alerts.gather_s),
            second=self.alerts.second,
            remind=tuple(timedelta(seconds=each) for each in self.alerts.remind_s),
            fallback=timedelta(seconds=self.cueapi.fallback_after_s if waits else 0),
            triggered=waits,
            reports=waits and self.cueapi.api_key is not None,
            drills=self.alerts.drills,
            heartbeat=timedelta(seconds=self.heartbeat.every_s) if self.heartbeat else None,
        )
