"""What is watched and who is told: the part of the configuration that most rooms need."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cronverifyd.model import Channel, Job, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What is watched and who is told.

    `outcomes`: the plain outcome files. `fallback`: how long the local timer waits for a trigger.
    `gather`: what follows on a channel so soon after a message is told together. `second`: the
    channels that are told what another one did not take. `remind`: how long after its opening, each
    time, an open incident is told again; the last one is repeated. `drills`: there is one a week.
    `heartbeat`: how often somebody is told that the chain holds; None: nobody is.
    `triggered`: CueAPI is to trigger; `reports`: it is to be told what came of that.
    """

    jobs: Mapping[str, Job]
    channels: Mapping[str, Channel]
    default_route: tuple[str, ...]
    instance: str
    state_dir: Path
    fallback: timedelta = field(default_factory=timedelta)
    outcomes: tuple[str, ...] = ()
    gather: timedelta = field(default_factory=timedelta)
    second: tuple[str, ...] = ()
    remind: tuple[timedelta, ...] = ()
    drills: bool = True
    heartbeat: timedelta | None = None
    triggered: bool = False
    reports: bool = False

    def watched(self) -> dict[str, Job]:
        """Return the jobs that owe something."""
        return {name: job for name, job in self.jobs.items() if job.enabled}

    def route(self, severity: Severity, job: Job | None = None) -> list[str]:
        """Name the channels that want a message of this severity; `job`: about that one.

        A channel with tags takes what is told of jobs that bear one of them, or that name it.
        """
        names = self.default_route if job is None else job.channels or self.default_route
        return [name for name in self.known(names) if self._wants(name, severity, job)]

    def known(self, names: Iterable[str]) -> list[str]:
        """Give those of the channels that the configuration still has."""
        return [name for name in names if name in self.channels]

    def _wants(self, name: str, severity: Severity, job: Job | None) -> bool:
        channel = self.channels[name]
        if severity not in channel.severity:
            return False
        if not channel.tags or (job is not None and name in job.channels):
            return True
        return job is not None and not channel.tags.isdisjoint(job.tags)
