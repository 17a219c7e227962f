"""Schedules that are read from a clock on the wall: between walls and instants.

Walls are naive datetimes, as a clock on the wall in some zone shows them; instants are aware. What
a calendar is made of (cron's fields, systemd's) is decided on walls that know no daylight saving;
when such a wall came is decided here, forwards and backwards alike. So the two nights of the year
on which walls and instants part ways are dealt with in one place.
"""

from __future__ import annotations

import difflib
from abc import abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.slots import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAY_S = 86_400

CALENDAR_START = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall
"""A schedule without a slot after this one never comes."""

# Debian's cron takes a jump of less than three hours for daylight saving, a longer one for a clock
# that was set: then nothing is made up for and nothing held back (cron(8)).
LONGEST_SHIFT = timedelta(hours=3)

_STRETCH = timedelta(days=3)
"""No zone changes its clocks twice in so few days."""

# The fifth Monday of February comes within 40 years; so long does cronsim search, too.
_PATIENCE_YEARS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class WallSchedule(Schedule):
    """Slots at the walls that match, read in `zone`."""

    zone: ZoneInfo

    @abstractmethod
    def _walls_after(self, wall: datetime) -> Iterator[datetime]:
        """Walk over the walls that match and are after one."""

    @abstractmethod
    def _walls_back_from(self, wall: datetime) -> Iterator[datetime]:
        """Walk backwards over the walls that match and are not after one."""

    @abstractmethod
    def _instants(self, wall: datetime) -> tuple[datetime, ...]:
        """Say at which instants the job is started for a wall that matches."""

    def next_after(self, instant: datetime) -> datetime | None:
        """Find the first slot strictly after an aware instant."""
        try:
            return self._earliest(self._after(instant.astimezone(UTC)))
        except OverflowError:  # the calendar ends
            return None

    def _after(self, instant: datetime) -> list[datetime]:
        """Search from the first wall that is still to come, be it for the second time."""
        wall = self._wall(instant)
        to_repeat = wall + LONGEST_SHIFT - self._wall(instant + LONGEST_SHIFT)
        found: list[datetime] = []
        for match in self._walls_after(wall - max(to_repeat, timedelta())):
            found += [come for come in self._instants(match) if come > instant]
            if (found and match > wall) or match.year > wall.year + _PATIENCE_YEARS:
                break
        return found

    def slots_after(self, instant: datetime) -> Iterator[datetime]:
        """Walk over the slots after an aware instant, fast as long as the zone's offset is steady.

        Then every wall comes once, and where the walls are is where the slots are.
        """
        at = instant.astimezone(UTC)
        while True:
            until = at + _STRETCH
            offset = self._steady_offset(at, until)
            if offset is None:
                following = self.next_after(at)
                if following is None:
                    return
                yield following
                at = following.astimezone(UTC)
                continue
            shown, last = timezone(offset), (until + offset).replace(tzinfo=None)
            match = None
            for match in self._walls_after((at + offset).replace(tzinfo=None)):
                if match > last:
                    break
                yield match.replace(tzinfo=shown)
            at = until if match is None else max(until, self._passes(match)[0] - _STRETCH)

    def _steady_offset(self, first: datetime, last: datetime) -> timedelta | None:
        """Give the zone's offset if no clock is changed near a stretch; None: one is."""
        around = (first - LONGEST_SHIFT, first, last, last + LONGEST_SHIFT)
        offsets = {at.astimezone(self.zone).utcoffset() for at in around}
        return offsets.pop() if len(offsets) == 1 else None

    def latest_at(self, instant: datetime) -> datetime | None:
        """Find the newest slot that is not after an aware instant."""
        try:
            return self._latest(self._until(instant.astimezone(UTC)))
        except OverflowError:
            return None

    def _until(self, instant: datetime) -> list[datetime]:
        """Search back from the last wall that has come, be it in the first pass only."""
        wall = self._wall(instant)
        repeated = self._wall(instant - LONGEST_SHIFT) + LONGEST_SHIFT - wall
        found: list[datetime] = []
        for match in self._walls_back_from(wall + max(repeated, timedelta())):
            found += [come for come in self._instants(match) if come <= instant]
            if (found and match <= wall) or match.year < wall.year - _PATIENCE_YEARS:
                break
        return found

    def _earliest(self, found: list[datetime]) -> datetime | None:
        return self._shown(min(found)) if found else None

    def _latest(self, found: list[datetime]) -> datetime | None:
        return self._shown(max(found)) if found else None

    def _wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def _passes(self, wall: datetime) -> tuple[datetime, datetime]:
        """Give both readings of a wall: in order if it is repeated, reversed if it never came."""
        aware = wall.replace(tzinfo=self.zone)
        return aware.astimezone(UTC), aware.replace(fold=1).astimezone(UTC)


def checked(schedule: WallSchedule) -> WallSchedule:
    """Refuse a schedule whose every wall is one that the clocks jump over."""
    if schedule.next_after(CALENDAR_START.replace(tzinfo=UTC)) is None:
        zone = schedule.zone.key
        raise ScheduleError(f'"{schedule.text}" never comes in {zone}: clocks jump over it')
    return schedule


def shortest_gap_s(times_s: Iterable[int]) -> int:
    """Measure the smallest distance between times of day, as if every day matched."""
    times = sorted(times_s)
    return min(after - before for before, after in pairwise([*times, times[0] + DAY_S]))


def changes_clocks(zone: ZoneInfo) -> bool:
    """Say whether a zone knows daylight saving."""
    months = (CALENDAR_START.replace(year=2030, month=month) for month in range(1, 13))
    return len({zone.utcoffset(month) for month in months}) > 1


def find_zone(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name; raises ScheduleError with what may have been meant."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder, or far too long
        close = difflib.get_close_matches(name, available_timezones(), n=1, cutoff=0.8)
    right = f'did you mean "{close[0]}"?' if close else 'use an IANA name such as "Europe/Paris"'
    raise ScheduleError(f'unknown time zone "{name}": {right}')
