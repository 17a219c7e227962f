"""The local timer: APScheduler with two jobs, a steady tick and one date for the next deadline."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from cronverifyd.model import TriggeredBy

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.daemon.bell import Bell

TICK_S = 5
"""At each tick the files are looked at, whatever inotify said."""

_NEXT = "next-deadline"


class Timer:
    """Rings the bell at every tick and at the next deadline.

    One date for the nearest of all deadlines: a scheduler job for each would cost 17 µs and 0.8 KB
    a piece, and the last of 10,000 that are due at once would come half a second late.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._next: datetime | None = None
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            daemon=True,
            executors={"default": ThreadPoolExecutor(1)},
            # The default grace drops a tick that is a second late, and only logs it.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_job(bell.ring, "interval", args=[TriggeredBy.TIMER], seconds=TICK_S)

    def start(self) -> None:
        """Start to ring."""
        self._scheduler.start()

    def ring_at(self, moment: datetime | None) -> None:
        """Ring at `moment`, and not at the one that was set before."""
        if moment == self._next:
            return
        if moment is None:
            with suppress(JobLookupError):  # it has rung already
                self._scheduler.remove_job(_NEXT)
        else:
            self._scheduler.add_job(
                self._bell.ring,
                "date",
                args=[TriggeredBy.TIMER],
                run_date=moment,
                id=_NEXT,
                replace_existing=True,
            )
        self._next = moment

    def stop(self) -> None:
        """Ring no more."""
        self._scheduler.shutdown(wait=False)
