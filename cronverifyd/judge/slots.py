"""What every schedule answers: which slot comes next, which one was the last."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule(ABC):
    """The slots of a job: `text` as it was written, shown in the IANA zone `timezone`.

    Slots bear the fixed offset that the zone had then, not the zone itself: Python compares two
    datetimes of one zone by their walls, so that both passes of a repeated hour would be equal.
    `shortest_gap_s`: no two slots are closer than this, apart from daylight saving.
    """

    text: str
    timezone: str
    shortest_gap_s: float

    @property
    def early_start(self) -> timedelta:
        """Say how long before its slot a run may start: two clocks may differ by some seconds.

        60 s, but no more than a quarter of the shortest gap: of a job that runs every minute, a run
        that cron starts some seconds late must not pass for the next one.
        """
        return timedelta(seconds=min(60.0, self.shortest_gap_s / 4))

    @abstractmethod
    def next_after(self, instant: datetime) -> datetime | None:
        """Find the first slot strictly after an aware instant.

        None: none is known, or the calendar (year 9999) ends before it.
        """

    def slots_after(self, instant: datetime) -> Iterator[datetime]:
        """Walk over the slots after an aware instant, as `next_after` finds one after the other."""
        at: datetime | None = instant
        while at is not None and (at := self.next_after(at)) is not None:
            yield at

    @abstractmethod
    def latest_at(self, instant: datetime) -> datetime | None:
        """Find the newest slot that is not after an aware instant; None: none is known."""

    def starts_at(self, slot: datetime) -> int:
        """Say how often the job is started at a slot: once, but for cron after a spring gap."""
        del slot
        return 1

    def second_pass(self, slot: datetime) -> datetime | None:
        """Say when a cron that was restarted in a repeated hour may run a slot's job again.

        That is when the wall of the slot comes for the second time, which is no slot of its own.
        None: it does not.
        """
        del slot
        return None

    def _shown(self, instant: datetime) -> datetime:
        local = instant.astimezone(ZoneInfo(self.timezone))
        offset = local.utcoffset() or timedelta()
        return local.replace(tzinfo=timezone(offset), fold=0)
