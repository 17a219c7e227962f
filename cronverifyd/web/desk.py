"""What the pages and the API of the status listener look into."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cronverifyd.errors import UnknownJobError
from cronverifyd.report import documents
from cronverifyd.store.reader import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from cronverifyd.model import Job
    from cronverifyd.scope import Scope
    from cronverifyd.store.reader import Reader

    Reasons = Callable[[Scope, Reader, datetime], Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What is watched, and how to look at it.

    `clock` gives the aware UTC instant at which a request is answered. `alive` says whether the
    main loop turns. `reasons` says why the chain is not proven; nothing: it is.
    """

    scope: Scope
    clock: Callable[[], datetime]
    alive: Callable[[], bool]
    reasons: Reasons

    @contextmanager
    def look(self) -> Iterator[Reader]:
        """Open the database for one answer. Raises StateError when it cannot be read."""
        with open_reader(self.scope.state_dir) as reader:
            yield reader

    def job(self, name: str) -> Job:
        """Find a job of the configuration. Raises UnknownJobError."""
        try:
            return self.scope.jobs[name]
        except KeyError:
            raise UnknownJobError("no job is called so") from None

    def status_of(self, job: Job, reader: Reader, now: datetime) -> dict[str, Any]:
        """Describe one job, as the status document does all of them."""
        return documents.status(replace(self.scope, jobs={job.name: job}), reader, now)

    def unproven(self, reader: Reader, now: datetime) -> list[str]:
        """Say why the chain is not proven; nothing: it is."""
        stuck = [] if self.alive() else ["the main loop of the daemon does not turn"]
        return [*stuck, *self.reasons(self.scope, reader, now)]
