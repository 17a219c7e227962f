"""The triggers from outside: which jobs they are awaited for, and what to do when they stop coming.

A trigger is awaited for every job that CueAPI has triggered by name before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.engine.standing import Standing
from cronverifyd.judge.runs import make_slot, skips
from cronverifyd.model import CUEAPI

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cronverifyd.engine.calendars import Calendars
    from cronverifyd.engine.teller import Teller
    from cronverifyd.model import Incident
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

AT_MOST_EVERY = timedelta(seconds=2)
"""However many triggers come, a job is evaluated for them no more often than this."""

_IN_A_ROW = 3
_LATE = timedelta(minutes=5)
"""A trigger that comes so late, while others came in time, counts as lost."""

_WHOLE_MINUTE = timedelta(minutes=1)
"""Cues are fired at whole minutes, the first one not before the deadline."""

_CLOCKS_DIFFER = timedelta(seconds=60)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MOST_SKIPPED = 1_000
_SOON = timedelta(seconds=30)


class Triggers:
    """What is awaited from outside. Everything that writes belongs into a transaction."""

    def __init__(self, scope: Scope, store: Store, calendars: Calendars, teller: Teller) -> None:
        self._scope = scope
        self._store = store
        self._calendars = calendars
        self._teller = teller
        self._looked_at: dict[str, datetime] = {}
        self._last: dict[str, datetime] = {}
        self._awaited: dict[str, datetime] = {}
        self._missing: dict[str, datetime] = {}
        self._row = 0
        self._standing = Standing(CUEAPI, scope, store)

    def remember(self, now: datetime) -> None:
        """Read from the store what has to be at hand."""
        self._standing.remember()
        jobs = self._scope.watched()
        known = self._store.triggers() if self._scope.triggered else {}
        self._last = {name: at for name, at in known.items() if name in jobs}
        for name in self._last.keys() - self._awaited.keys():
            self._await(name, now)
        for name in self._awaited.keys() - self._last.keys():
            del self._awaited[name]

    # ---- when they come ---------------------------------------------------------------------

    def looked_lately(self, names: Iterable[str], now: datetime) -> bool:
        """Say whether all of these jobs were evaluated for a trigger a moment ago."""
        known = self._looked_at
        return all(n in known and timedelta() <= now - known[n] < AT_MOST_EVERY for n in names)

    def looked(self, names: Iterable[str], now: datetime) -> None:
        """Keep when jobs were evaluated for a trigger."""
        self._looked_at.update(dict.fromkeys(names, now))

    def came(self, jobs: Sequence[str] | None, now: datetime) -> None:
        """Keep that CueAPI has triggered. `jobs` None: it named none."""
        self._row = 0
        for name in jobs or ():
            self._store.save_trigger(name, now)
            self._last[name] = now
            self._missing.pop(name, None)
            if name not in self._awaited:
                self._await(name, now)
        incident = self._standing.incident
        if incident is not None and not self._is_lost(now):
            self._standing.heal(incident, now)
            self._teller.at_large(messages.triggers_back(self._scope, incident, now))

    # ---- when they do not -------------------------------------------------------------------

    def next_moment(self) -> datetime | None:
        """Say when the next trigger that is awaited is overdue, or None."""
        at = min(self._awaited.values(), default=None)
        return None if at is None else at + self._patience()

    def has_changed(self, now: datetime) -> bool:
        """Say whether they have stopped, and nobody knows."""
        return self._standing.incident is None and self._is_lost(now)

    def next_reminder(self) -> datetime | None:
        """Say when people are to be told again that triggers have stopped, or None."""
        return self._standing.next_reminder()

    def turn(self, now: datetime) -> None:
        """Look for triggers that are overdue."""
        for name in list(self._awaited):
            while (at := self._awaited.get(name)) and at + self._patience() <= now:
                if self._last[name] < at - _CLOCKS_DIFFER:
                    self._missing.setdefault(name, at)
                    self._row += 1
                self._await(name, at)
        if self.has_changed(now):
            since = min(self._last[name] for name in self._missing)
            self._tell_lost(self._standing.open(since, now), now)

    def remind(self, now: datetime) -> None:
        """Tell again of triggers that have stopped for long."""
        if (told := self._standing.reminded(now)) is not None:
            self._tell_lost(told, now)

    def _is_lost(self, now: datetime) -> bool:
        """Say whether several did not come in a row, or one did not while others came."""
        newest = max(self._last.values(), default=_LONG_AGO)
        late = [at for at in self._missing.values() if at + _LATE <= now]
        return self._row >= _IN_A_ROW or any(newest >= at - _CLOCKS_DIFFER for at in late)

    def _tell_lost(self, incident: Incident, now: datetime) -> None:
        jobs = sorted(self._missing)
        self._teller.at_large(messages.triggers_lost(self._scope, incident, jobs, now))

    def _await(self, name: str, after: datetime) -> None:
        """Await the trigger after the first deadline that is later than an instant."""
        self._awaited.pop(name, None)
        job = self._scope.jobs[name]
        window = timedelta(seconds=job.max_duration_s + job.grace_s)
        for at in islice(self._calendars.schedule(job).slots_after(after - window), _MOST_SKIPPED):
            if not skips(job, at):
                self._awaited[name] = make_slot(job, at).deadline
                return

    def _patience(self) -> timedelta:
        return _WHOLE_MINUTE + max(self._scope.fallback, _SOON)
