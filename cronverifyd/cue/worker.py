"""The worker transport: fetch executions, judge, report. Nothing comes in from outside.

It has neither a thread nor a clock: whoever owns it calls `turn(now)`, and comes back when told to.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cronverifyd.cue.client import CueError, KeyRefusedError, ThrottledError, UnsureError
from cronverifyd.cue.delivery import MalformedError, parse
from cronverifyd.cue.outcomes import could_not_judge
from cronverifyd.errors import UnavailableError, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cronverifyd.cue.client import CueApi
    from cronverifyd.model import Port, Verified, Verify

# 12 of the 60 requests a minute that the service allows.
POLL = timedelta(seconds=5)

# The service takes a worker for gone after 180 s.
HEARTBEAT = timedelta(seconds=60)

# An outcome is due within 300 s of the claim; some of it is left for the request.
PATIENCE = timedelta(seconds=240)

_LONGEST_BACKOFF = timedelta(minutes=5)
_UNREPORTED_FOR = timedelta(hours=24)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    """An execution that is ours. `outcome` None: not judged yet."""

    execution: str
    at: datetime
    asks: Verify | None
    outcome: Mapping[str, Any] | None = None


class Worker:
    """One worker of one instance.

    `evidence`: makes the outcome's document of an answer (see outcomes.outcome).
    """

    def __init__(
        self, client: CueApi, port: Port, task: str, evidence: Callable[[Verified], dict[str, Any]]
    ) -> None:
        self._client = client
        self._port = port
        self._task = task
        self._evidence = evidence
        self._claimed: dict[str, _Claimed] = {}
        self._heard_at: datetime | None = None
        self._failures = 0

    @property
    def failures(self) -> int:
        """Count the turns in a row that the service spoilt."""
        return self._failures

    def turn(self, now: datetime) -> timedelta:
        """Do what can be done now; say how long to stay away.

        1. Say that the worker lives, if that is due.
        2. Report what is judged, judge what is claimed.
        3. Claim what waits, judge and report it.

        A service that gives no answer or asks to wait ends the turn. What was claimed is kept and
        reported later, for a day: an outcome that is late is recorded all the same.
        """
        try:
            self._live(now)
            self._settle(now)
            self._claim(now)
            self._settle(now)
        except ThrottledError as error:
            return self._back_off(error, timedelta(seconds=error.retry_after_s))
        except (UnsureError, CueError, KeyRefusedError) as error:
            return self._back_off(error, timedelta())
        self._failures = 0
        return POLL

    def _back_off(self, error: Exception, least: timedelta) -> timedelta:
        """Wait twice as long each time, five minutes at most, but as long as was asked for."""
        self._failures += 1
        if self._failures == 1:
            _log.warning("worker error=%s hint=%s", error, "executions wait at CueAPI for 15 min")
        backoff = POLL * (1 << min(self._failures, 10))
        return max(least, min(backoff, _LONGEST_BACKOFF))

    def _live(self, now: datetime) -> None:
        if self._heard_at is None or not timedelta() <= now - self._heard_at < HEARTBEAT:
            self._client.heartbeat(self._task, [self._task])
            self._heard_at = now

    def _claim(self, now: datetime) -> None:
        for shown in self._client.claimable(self._task):
            execution = shown.get("execution_id")
            if not isinstance(execution, str) or execution in self._claimed:
                continue
            if self._client.claim(execution, self._task):
                self._claimed[execution] = _Claimed(execution=execution, at=now, **_asked(shown))

    def _settle(self, now: datetime) -> None:
        for claimed in list(self._claimed.values()):
            judged = self._judged(claimed, now)
            self._claimed[claimed.execution] = judged
            if judged.outcome is None:
                return  # the main loop is away: to wait for it once a turn is enough
            self._report(judged, judged.outcome, now)

    def _judged(self, claimed: _Claimed, now: datetime) -> _Claimed:
        """Ask the main loop; without an answer in four minutes, say so."""
        if claimed.outcome is not None or claimed.asks is None:
            return claimed
        try:
            outcome = self._evidence(self._port.ask(claimed.asks))
        except UnknownJobError as error:
            outcome = could_not_judge(str(error))
        except UnavailableError as error:
            if now - claimed.at < PATIENCE:
                return claimed
            outcome = could_not_judge(str(error))
        return _Claimed(
            execution=claimed.execution, at=claimed.at, asks=claimed.asks, outcome=outcome
        )

    def _report(self, claimed: _Claimed, outcome: Mapping[str, Any], now: datetime) -> None:
        """Report an outcome; one that the service refuses for good, or for a day, is dropped."""
        try:
            self._client.report_outcome(claimed.execution, outcome)
        except CueError as error:
            _log.warning("execution=%s outcome refused: %s", claimed.execution, error)
        except (UnsureError, ThrottledError):
            if now - claimed.at < _UNREPORTED_FOR:
                raise
        del self._claimed[claimed.execution]


def _asked(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Read what an execution asks for, as a delivery of the other transport is read."""
    delivery = {key: shown.get(key) for key in ("execution_id", "payload", "scheduled_for")}
    try:
        return {"asks": parse(json.dumps(delivery).encode())}
    except MalformedError as error:
        return {"asks": None, "outcome": could_not_judge(str(error))}
