"""Proof that the bell rings: drills, the canary, and the heartbeat that stands on both."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.model import DRILL, Drilled, EventKind, Rehearsal
from cronverifyd.report.proof import CANARY, unproven

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.engine.causes import Causes
    from cronverifyd.engine.engine import Hands
    from cronverifyd.engine.teller import Teller
    from cronverifyd.model import Beaten, Drill, Event, Rehearsed
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

DRILL_EVERY = timedelta(days=7)
CANARY_EVERY = timedelta(minutes=5)
"""The canary writes two lines of an outcome file each time."""

_DRILL = "drill"
_BEAT = "heartbeat"


class Drills:
    """What was asked to happen so that people know that it would.

    A drill is a run of the wrapper that fails on purpose, and is told; a canary one that does not,
    and is only seen to come through.
    """

    def __init__(
        self, scope: Scope, store: Store, causes: Causes, teller: Teller, hands: Hands
    ) -> None:
        self._scope = scope
        self._store = store
        self._causes = causes
        self._teller = teller
        self._hands = hands
        self._expected: dict[str, bool] = {}
        self._canaries: set[str] = set()
        self._next_canary: datetime | None = None
        self._next_beat: datetime | None = None
        self._next_drill: datetime | None = None

    def begin(self, now: datetime) -> None:
        """Begin to count; belongs into a transaction."""
        if self._scope.heartbeat is not None:
            self._next_canary = now
            self._next_beat = now + self._scope.heartbeat
        known = self._store.signs()
        if _DRILL not in known:
            self._store.save_sign(_DRILL, now)
        last = known[_DRILL][0] if _DRILL in known else now
        self._next_drill = last + DRILL_EVERY if self._scope.drills else None

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        self._expected = self._store.open_drills()

    def next_moment(self) -> datetime | None:
        """Say when something has to be done, or None."""
        moments = (self._next_canary, self._next_beat, self._next_drill)
        return min((at for at in moments if at is not None), default=None)

    def expect(self, drill: Drill, now: datetime) -> Drilled:
        """Expect a run of the drill's job; belongs into a transaction."""
        self._store.save_drill(drill.run, now, quiet=drill.quiet)
        self._store.note("drill", now, run=drill.run)
        self._expected[drill.run] = drill.quiet
        return Drilled(channels=tuple(self._scope.channels))

    def turn(self, now: datetime) -> None:
        """Do what is due by now; belongs into a transaction."""
        if self._next_drill is not None and self._next_drill <= now:
            self._next_drill = now + DRILL_EVERY
            self._store.save_sign(_DRILL, now)
            self._store.save_drill(run := secrets.token_hex(16), now, quiet=True)
            self._expected[run] = True
            self._hands.rehearse(Rehearsal(run=run, fails=True))
        if self._next_canary is not None and self._next_canary <= now:
            self._next_canary = now + CANARY_EVERY
            self._canaries = {run := secrets.token_hex(16)}
            self._hands.rehearse(Rehearsal(run=run, fails=False))
        if self._next_beat is not None and self._scope.heartbeat and self._next_beat <= now:
            self._next_beat = now + self._scope.heartbeat
            self._hands.beat(unproven(self._scope, self._store, now, self._causes.volumes()))

    def take(self, event: Event, path: str, now: datetime) -> bool:
        """Take a line of the drill's job that was expected; False: it is a line as any other.

        Belongs into a transaction.
        """
        if event.job != DRILL:
            return False
        said = event.output_tail or ""
        if any(run in said for run in self._canaries):
            self._store.save_sign(CANARY, now)
            return True
        run = next((run for run in self._expected if run in said), None)
        if run is not None:
            quiet = self._expected.pop(run)
            self._store.end_drill(run, now)
            notice = messages.drill(self._scope, run, _seen(event, path, quiet=quiet), now)
            self._teller.tell(notice, self._scope.channels)
        return run is not None or event.kind is EventKind.START

    def rehearsed(self, message: Rehearsed, now: datetime) -> None:
        """Tell that the wrapper could not do it; belongs into a transaction."""
        quiet = self._expected.pop(message.run, None)
        if quiet is not None:
            self._store.end_drill(message.run, now)
            self._teller.at_large(messages.drill_failed(self._scope, message, now))
        if message.run in self._canaries:
            self._store.save_sign(f"{CANARY} fault", now, message.fault)

    def beaten(self, message: Beaten, now: datetime) -> None:
        """Keep what came of a heartbeat; belongs into a transaction."""
        self._store.save_sign(_BEAT, now, message.error or "")


def _seen(event: Event, path: str, *, quiet: bool) -> str:
    """Say what came of a drill's run; of a quiet one nothing."""
    if quiet:
        return ""
    code = "" if event.exit_code is None else f" with exit code {event.exit_code}"
    ended = f"its job ended{code} and status {event.status}, as it was meant to"
    return f"a drill by hand: {ended}; its line was read from {path}"
