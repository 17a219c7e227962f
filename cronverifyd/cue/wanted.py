"""The cues that a configuration needs, within what the account's plan has room for."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cronverifyd.cue.timing import timings
from cronverifyd.judge.wording import plural
from cronverifyd.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cronverifyd.cue.timing import Timing, Timings
    from cronverifyd.model import Job

VERSION = 1
_NAME_CHARACTERS = 255  # the service's
_SEVERITIES = list(Severity)

# The service's default, three attempts, gives up after six minutes. A cue that is paused by one
# outage of this host would never fire again.
_RETRY = {"max_attempts": 10, "backoff_minutes": [1, 2, 5, 10, 15, 30]}
_ON_FAILURE = {"email": True, "webhook": None, "pause": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """How cues reach this host. `transport`: webhook, worker or off.

    `url`: where deliveries of the webhook transport go. `secret`: sent with them, or None.
    """

    instance: str
    transport: str
    url: str | None = None
    secret: str | None = field(default=None, repr=False)

    @property
    def prefix(self) -> str:
        """Say how the names of our cues begin."""
        return f"{self.task}/"

    @property
    def task(self) -> str:
        """Name what workers of this instance claim."""
        return f"cronverifyd/{self.instance}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What the plan has room for, cues of others already taken off. None: nobody said.

    `executions`: in a month.
    """

    cues: int | None = None
    executions: int | None = None

    def holds(self, wanted: Sequence[Wanted]) -> bool:
        """Say whether so many cues, and what they come to in a month, fit."""
        return _within(len(wanted), self.cues) and _within(monthly(wanted), self.executions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One cue as it should be; `jobs` are those that it asks after."""

    name: str
    timing: Timing
    jobs: tuple[str, ...]

    def document(self, setting: Setting) -> dict[str, Any]:
        """Write it as the service is given it, all groups whole."""
        return {
            "name": self.name,
            "description": "managed by cronverifyd",
            "schedule": {
                "type": "recurring",
                "cron": self.timing.cron,
                "timezone": self.timing.timezone,
            },
            "transport": setting.transport,
            **_callback(setting),
            "payload": self._payload(setting),
            "retry": dict(_RETRY),
            "on_failure": dict(_ON_FAILURE),
        }

    def _payload(self, setting: Setting) -> dict[str, Any]:
        """Name the jobs, and mark the cue as ours."""
        named = {"job": self.jobs[0]} if len(self.jobs) == 1 else {"jobs": list(self.jobs)}
        task = {"task": setting.task} if setting.transport == "worker" else {}
        return {**named, "instance": setting.instance, "v": VERSION, **task}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """All cues that are wanted. `shared`: some jobs that fall due together have one.

    By the jobs' names: `without` has those that no cue can serve, `unfit` those that the plan has
    no room for, `notes` what is odd about a cue, each with a sentence.
    """

    cues: tuple[Wanted, ...]
    shared: bool = False
    without: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def wish(jobs: Iterable[Job], setting: Setting, room: Room) -> Wish:
    """Find the cues for the jobs that are enabled.

    1. One for each expression of each job, if the plan has room.
    2. Else one for all jobs that fall due together.
    3. Else only for as many jobs as fit: the most severe first, then those that cost least.
    """
    if setting.transport == "off":
        return Wish(cues=())
    found = {job.name: (job, timings(job)) for job in jobs if job.enabled}
    lacks = {name: _lack(name, of, setting) for name, (_, of) in sorted(found.items())}
    without = {name: lack for name, lack in lacks.items() if lack is not None}
    served = {name: found[name] for name in lacks if name not in without}
    plain = {name: of for name, (_, of) in served.items()}
    notes = {name: of.note for name, of in plain.items() if of.note is not None}
    cues = _single(plain, setting)
    if room.holds(cues):
        return Wish(cues=cues, without=without, notes=notes)
    fitting = _fitting(served, setting, room)
    cues = _shared(fitting, setting)
    return Wish(
        cues=cues,
        shared=any(len(cue.jobs) > 1 for cue in cues),
        without=without,
        unfit={name: _too_much(of, room) for name, of in plain.items() if name not in fitting},
        notes=notes,
    )


def _lack(name: str, of: Timings, setting: Setting) -> str | None:
    """Say why a job can have no cue, or None."""
    if of.lack is None and len(_name(setting, name, len(of.of))) > _NAME_CHARACTERS:
        return f"its cue's name would have more than {_NAME_CHARACTERS} characters"
    return of.lack


def monthly(wanted: Iterable[Wanted]) -> int:
    """Count the executions of cues in the fullest month, at most."""
    return sum(each.timing.monthly for each in wanted)


def _single(found: Mapping[str, Timings], setting: Setting) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(name=_name(setting, job, index), timing=timing, jobs=(job,))
        for job, of in found.items()
        for index, timing in enumerate(of.of)
    )


def _shared(found: Mapping[str, Timings], setting: Setting) -> tuple[Wanted, ...]:
    """Give jobs that fall due together one cue, named after its schedule."""
    together: dict[Timing, list[Wanted]] = defaultdict(list)
    for each in _single(found, setting):
        together[each.timing].append(each)
    return tuple(
        of[0] if len(of) == 1 else _joint(timing, of, setting) for timing, of in together.items()
    )


def _joint(timing: Timing, of: Sequence[Wanted], setting: Setting) -> Wanted:
    digest = hashlib.sha256(f"{timing.cron} {timing.timezone}".encode()).hexdigest()[:8]
    jobs = tuple(sorted(job for each in of for job in each.jobs))
    return Wanted(name=f"{setting.prefix}~{digest}", timing=timing, jobs=jobs)


def _fitting(
    found: Mapping[str, tuple[Job, Timings]], setting: Setting, room: Room
) -> dict[str, Timings]:
    """Choose the jobs for which there is room if those that fall due together share a cue."""

    def cost(name: str) -> tuple[int, int, int, str]:
        job, of = found[name]
        executions = sum(timing.monthly for timing in of.of)
        return _SEVERITIES.index(job.severity), executions, len(of.of), name

    chosen: dict[str, Timings] = {}
    for name in sorted(found, key=cost):
        tried = {**chosen, name: found[name][1]}
        if room.holds(_shared(tried, setting)):
            chosen = tried
    return dict(sorted(chosen.items()))


def _too_much(of: Timings, room: Room) -> str:
    cues = plural(len(of.of), "cue")
    executions = plural(sum(timing.monthly for timing in of.of), "execution")
    has = [
        f"{most} {what}"
        for most, what in ((room.cues, "cues"), (room.executions, "executions a month"))
        if most is not None
    ]
    return f"needs {cues} and {executions} a month; the plan has room for {' and '.join(has)}"


def _name(setting: Setting, job: str, index: int) -> str:
    return f"{setting.prefix}{job}" + (f"/{index + 1}" if index else "")


def _callback(setting: Setting) -> dict[str, Any]:
    if setting.transport != "webhook":
        return {}
    headers = {} if setting.secret is None else {"X-Cue-Secret": setting.secret}
    return {"callback": {"url": setting.url, "method": "POST", "headers": headers}}


def _within(count: int, most: int | None) -> bool:
    return most is None or count <= most
