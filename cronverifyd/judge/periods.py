"""When a job of `every 15m` was due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.duration import parse_duration
from cronverifyd.judge.slots import Schedule

MIN_S = 5
"""No schedule of any form comes more often: judging costs more than such a job does."""

_MAX_S = 366 * 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Every(Schedule):
    """The multiples of a period since 1970-01-01T00:00Z, on which no zone has a say."""

    period: timedelta

    @property
    def early_start(self) -> timedelta:
        """Allow nothing: any run that starts within the period serves it, and no other."""
        return timedelta()

    def next_after(self, instant: datetime) -> datetime | None:
        """Find the first slot strictly after an aware instant."""
        try:
            return self._shown(self._floor(instant) + self.period)
        except OverflowError:  # the calendar ends
            return None

    def latest_at(self, instant: datetime) -> datetime | None:
        """Find the newest slot that is not after an aware instant."""
        try:
            return self._shown(self._floor(instant))
        except OverflowError:
            return None

    def _floor(self, instant: datetime) -> datetime:
        instant = instant.astimezone(UTC)
        return instant - (instant - _EPOCH) % self.period


def read_every(text: str, timezone: str) -> Schedule:
    """Read `every DURATION`; raises ScheduleError with a sentence."""
    try:
        period_s = parse_duration(text.strip().removeprefix("every").strip())
    except ValueError as error:
        raise ScheduleError(f'the period of "{text}" {error}') from None
    if not MIN_S <= period_s <= _MAX_S:
        raise ScheduleError(f'the period of "{text}" must be between 5s and 366d')
    if period_s != int(period_s):
        raise ScheduleError(f'the period of "{text}" must be a whole number of seconds')
    period = timedelta(seconds=period_s)
    return Every(text=text, timezone=timezone, shortest_gap_s=period_s, period=period)
