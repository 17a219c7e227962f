"""What the host says of itself, in sentences for people."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.size import format_size
from cronverifyd.judge.wording import clock, plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cronverifyd.model import ClockStep, HostFacts, Span, Volume

_LATELY = timedelta(hours=24)
_JUST_BOOTED = timedelta(hours=1)
_LITTLE_MEMORY = 0.1
_HIGH_PRESSURE = 20.0


def sentences(facts: HostFacts, zone: str = "UTC") -> list[str]:
    """Say what is worth knowing when a job went wrong, the gravest first."""
    return [*_cron(facts, zone), *_disks(facts, zone), *_times(facts, zone), *_stress(facts)]


def during(since: datetime, until: datetime, zone: str, near: datetime) -> str:
    """Say `from 02:59:58 to 03:20:11 UTC (20 min 13 s)`."""
    length = format_duration((until - since).total_seconds())
    return f"from {clock(since, zone, near=near)} to {_at(until, zone, near)} ({length})"


def asleep(span: Span, zone: str, near: datetime) -> str:
    """Say from when to when the host was suspended."""
    return f"the host was asleep {_while(span, zone, near)}"


def stepped(step: ClockStep, zone: str, near: datetime) -> str:
    """Say how far and when the clock was set."""
    way = "forward" if step.by_s > 0 else "back"
    by = format_duration(step.by_s)
    return f"the clock was set {way} by {by}, to {_at(step.at, zone, near)}"


def cron_gap(span: Span, zone: str, near: datetime) -> str:
    """Say from when to when there was no cron."""
    tense = "is" if span.until is None else "was"
    return f"cron {tense} not running {_while(span, zone, near)}"


def full(volume: Volume, span: Span, zone: str, near: datetime) -> str:
    """Say since when a disk is full, or when it was."""
    when = _while(span, zone, near)
    if span.until is not None:
        return f"the disk of {volume.path} was full {when}"
    return f"the disk of {volume.path} is full {when}: {_room(volume)}"


def read_only(volume: Volume, span: Span, zone: str, near: datetime) -> str:
    """Say since when a file system takes no writes, or when it took none."""
    tense = "is" if span.until is None else "was"
    return f"the file system of {volume.path} {tense} read-only {_while(span, zone, near)}"


def _while(span: Span, zone: str, near: datetime) -> str:
    if span.until is None:
        return f"since {_at(span.since, zone, near)}"
    return during(span.since, span.until, zone, near)


def _at(instant: datetime, zone: str, near: datetime) -> str:
    abbreviation = instant.astimezone(ZoneInfo(zone)).tzname()
    return f"{clock(instant, zone, near=near)} {abbreviation}"


def _room(volume: Volume) -> str:
    if volume.free_inodes == 0:
        return "no inodes are free"
    return f"{format_size(volume.free_bytes)} of {format_size(volume.size_bytes)} free"


def _cron(facts: HostFacts, zone: str) -> Iterator[str]:
    if facts.cron_running is False and facts.cron_expected:
        yield from (cron_gap(s, zone, facts.at) for s in facts.cron_gaps if s.until is None)


def _disks(facts: HostFacts, zone: str) -> Iterator[str]:
    """Name each disk once, by the first of its paths."""
    told: set[tuple[int, bool]] = set()
    for volume in facts.volumes:
        for spans, say in ((volume.full, full), (volume.read_only, read_only)):
            name = volume.device, say is full
            if spans and spans[-1].until is None and name not in told:
                told.add(name)
                yield say(volume, spans[-1], zone, facts.at)


def _times(facts: HostFacts, zone: str) -> Iterator[str]:
    lately = facts.at - _LATELY
    for span in facts.asleep[-1:]:
        if span.until is not None and span.until >= lately:
            yield asleep(span, zone, facts.at)
    for step in facts.steps[-1:]:
        if step.at >= lately:
            yield stepped(step, zone, facts.at)
    if facts.booted_at is not None and facts.at - facts.booted_at < _JUST_BOOTED:
        ago = format_duration((facts.at - facts.booted_at).total_seconds())
        yield f"booted {ago} ago"


def _stress(facts: HostFacts) -> Iterator[str]:
    if facts.load is not None:
        cpus = "" if facts.cpus is None else f" on {plural(facts.cpus, 'CPU')}"
        yield f"load {facts.load:.1f}{cpus}"
    free, memory = facts.free_memory_bytes, facts.memory_bytes
    if free is not None and memory and free < memory * _LITTLE_MEMORY:
        yield f"{format_size(free)} of {format_size(memory)} memory available"
    waits = {
        "the CPU": facts.cpu_pressure,
        "memory": facts.memory_pressure,
        "the disk": facts.io_pressure,
    }
    for what, per_cent in waits.items():
        if per_cent is not None and per_cent >= _HIGH_PRESSURE:
            yield f"processes waited for {what} {per_cent:.0f} % of the last 10 s"
