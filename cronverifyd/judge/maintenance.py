"""Maintenance windows: when a job's slots count for nothing, or are not owed at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge.schedule import parse

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.model import Job, MaintenanceMode


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One window that is or was in force: from `since` on, before `until`."""

    since: datetime
    until: datetime
    mode: MaintenanceMode


def window_at(job: Job, instant: datetime, mode: MaintenanceMode) -> Window | None:
    """Find the window of this kind in which an instant lies; of several, the one that ends last."""
    found: list[Window] = []
    for maintenance in job.maintenance:
        since = parse(maintenance.schedule, job.timezone).latest_at(instant)
        if maintenance.mode is not mode or since is None:
            continue
        until = since.astimezone(UTC) + timedelta(seconds=maintenance.duration_s)
        if instant < until:
            found.append(Window(since=since, until=until, mode=mode))
    return max(found, key=lambda window: window.until, default=None)
