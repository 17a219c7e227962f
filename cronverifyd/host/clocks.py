"""The host's clocks against each other: when it was asleep, and when its clock was set."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.host.episodes import MOST, SHORTLY
from cronverifyd.model import ClockStep, Span

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_S = 2.0
"""Less is slew, or the rounding of the boot's time to whole seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The clocks at an instant.

    `monotonic_s` stands still while the host is asleep, `boottime_s` does not (clock_gettime(2)).
    `booted_s`: the wall clock less `boottime_s`, in whole seconds since 1970, as the kernel has it;
    it moves only when the wall clock is set. None: not known.
    """

    monotonic_s: float
    boottime_s: float
    booted_s: int | None


def read_clocks() -> Reading:
    """Read the clocks that are not the wall clock."""
    return Reading(
        monotonic_s=time.monotonic(),
        boottime_s=time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e9,
        booted_s=_booted_s(),
    )


class Clocks:
    """What was seen between one look and the next. `read`: reads the clocks."""

    def __init__(self, read: Callable[[], Reading] = read_clocks) -> None:
        self._read = read
        self._last: tuple[Reading, datetime] | None = None
        self._asleep: deque[Span] = deque(maxlen=MOST)
        self._steps: deque[ClockStep] = deque(maxlen=MOST)

    @property
    def asleep(self) -> tuple[Span, ...]:
        """Give the times in which the host was suspended, oldest first."""
        return tuple(self._asleep)

    @property
    def steps(self) -> tuple[ClockStep, ...]:
        """Give the steps of the wall clock, oldest first."""
        return tuple(self._steps)

    def look(self, now: datetime) -> Reading:
        """Read the clocks, and compare them with the last look's."""
        reading = self._read()
        if self._last is not None:
            self._compare(*self._last, reading, now)
        self._last = reading, now
        return reading

    def _compare(self, last: Reading, last_now: datetime, new: Reading, now: datetime) -> None:
        passed = timedelta(seconds=new.boottime_s - last.boottime_s)
        awake = timedelta(seconds=new.monotonic_s - last.monotonic_s)
        if (passed - awake).total_seconds() >= _LEAST_S:
            self._sleep(passed, awake, now)
        if new.booted_s is None or last.booted_s is None:
            return
        by_s = float(new.booted_s - last.booted_s)
        if abs(by_s) > _LEAST_S:
            # By the old clock; where looks lie far apart, only what was surely jumped over counts.
            before = max(last_now, now - timedelta(seconds=by_s) - SHORTLY)
            self._steps.append(ClockStep(at=now, by_s=by_s, before=before))

    def _sleep(self, passed: timedelta, awake: timedelta, now: datetime) -> None:
        """Keep when it was: exactly, if it was awake for only a moment; else the certain part."""
        since, until = now - passed, now
        if awake > SHORTLY:
            since, until = since + awake, until - awake
        if since < until:
            self._asleep.append(Span(since=since, until=until))


def booted_at(reading: Reading, now: datetime) -> datetime:
    """Say when the boot began by the present wall clock: to the millisecond, if `now` is fresh.

    The kernel's own whole seconds bound it, in case `now` was read a while ago.
    """
    precise = now - timedelta(seconds=reading.boottime_s)
    if reading.booted_s is None:
        return precise
    floor = datetime.fromtimestamp(reading.booted_s, UTC)
    return min(max(precise, floor), floor + timedelta(seconds=1))


def _booted_s() -> int | None:
    try:
        stat = Path("/proc/stat").read_bytes()
        return int(stat.partition(b"\nbtime ")[2].split(maxsplit=1)[0])
    except (OSError, IndexError, ValueError):
        return None
