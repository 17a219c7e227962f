"""When a job of `@reboot` was due: at every boot."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronverifyd.judge.slots import Schedule

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Boots(Schedule):
    """The boots of the host that are known, oldest first. Nobody knows the next one."""

    boots: tuple[datetime, ...]

    def next_after(self, instant: datetime) -> datetime | None:
        """Find the first slot strictly after an aware instant."""
        later = self.boots[bisect_right(self.boots, instant) :]
        return self._shown(later[0]) if later else None

    def latest_at(self, instant: datetime) -> datetime | None:
        """Find the newest slot that is not after an aware instant."""
        been = self.boots[: bisect_right(self.boots, instant)]
        return self._shown(been[-1]) if been else None
