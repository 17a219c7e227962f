"""An incident of the installation itself, under a name that no job can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.judge.incidents import closed, next_reminder, reminded, short_id
from cronverifyd.model import Incident

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store


class Standing:
    """At most one open incident of this name, kept at hand. It says nothing to anybody.

    What writes belongs into a transaction; after one that failed, `remember` brings what is at hand
    back in line.
    """

    def __init__(self, name: str, scope: Scope, store: Store) -> None:
        self._name = name
        self._scope = scope
        self._store = store
        self.incident: Incident | None = None

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        self.incident = self._store.open_incidents().get(self._name)

    def open(self, since: datetime, now: datetime) -> Incident:
        """Open it. `since`: when what is wrong began."""
        self.incident = Incident(
            id=short_id(self._name, since, now),
            job=self._name,
            opened_at=now,
            first_slot=since,
            last_bad_slot=since,
            slots=0,
            announced=True,
        )
        self._store.save_incident(self.incident)
        return self.incident

    def heal(self, incident: Incident, now: datetime) -> None:
        """Close it."""
        self._store.save_incident(closed(incident, "healed", now))
        self.incident = None

    def next_reminder(self) -> datetime | None:
        """Say when people are to be told of it again, or None."""
        if self.incident is None:
            return None
        return next_reminder(self.incident, self._scope.remind)

    def reminded(self, now: datetime) -> Incident | None:
        """Count the reminders that are due; give the incident if there were any, else None."""
        if self.incident is None:
            return None
        told = reminded(self.incident, self._scope.remind, now)
        if told == self.incident:
            return None
        self.incident = told
        self._store.save_incident(told)
        return told
