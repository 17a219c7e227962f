"""The worker transport: fetch what CueAPI asks, and ask it here. Nothing comes in from outside.

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
    from collections.abc import Mapping

    from cronverifyd.cue.client import CueApi
    from cronverifyd.model import Port

# 12 of the 60 requests a minute that the service allows.
POLL = timedelta(seconds=5)

# The service takes a worker for gone after 180 s.
HEARTBEAT = timedelta(seconds=60)

# An outcome is due within 300 s of the claim; some of it is left for the request.
PATIENCE = timedelta(seconds=240)

_LONGEST_BACKOFF = timedelta(minutes=5)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    """An execution that is ours and not answered yet, as the service showed it."""

    execution: str
    at: datetime
    delivery: bytes


class Worker:
    """One worker of one instance; `task` is what it claims.

    What the main loop answers, it tells CueAPI itself, as it does for a delivery. The worker only
    reports what never came to an answer.
    """

    def __init__(self, client: CueApi, port: Port, task: str) -> None:
        self._client = client
        self._port = port
        self._task = task
        self._claimed: dict[str, _Claimed] = {}
        self._lacks: dict[str, dict[str, Any]] = {}
        self._heard_at: datetime | None = None
        self._failures = 0

    @property
    def failures(self) -> int:
        """Count the turns in a row that the service spoilt."""
        return self._failures

    def turn(self, now: datetime) -> timedelta:
        """Do what can be done now; say how long to stay away.

        1. Ask the main loop what was claimed before and it had no time to answer.
        2. Say that the worker lives, if that is due.
        3. Claim what waits, and ask the main loop.
        4. Report what cannot be answered.

        A service that gives no answer, or asks to wait, ends the turn.
        """
        try:
            self._ask_all(now)
            self._live(now)
            self._claim_all(now)
            self._ask_all(now)
            self._report_lacks()
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
            _log.warning("CueAPI's worker waits error=%s", error)
        return max(least, min(POLL * (1 << min(self._failures, 10)), _LONGEST_BACKOFF))

    def _live(self, now: datetime) -> None:
        if self._heard_at is None or not timedelta() <= now - self._heard_at < HEARTBEAT:
            self._client.heartbeat(self._task, [self._task])
            self._heard_at = now

    def _claim_all(self, now: datetime) -> None:
        for shown in self._client.claimable(self._task):
            execution = shown.get("execution_id")
            if isinstance(execution, str) and self._client.claim(execution, self._task):
                delivery = _delivery(shown)
                self._claimed[execution] = _Claimed(execution=execution, at=now, delivery=delivery)

    def _ask_all(self, now: datetime) -> None:
        """Ask the main loop for each; when it is away, waiting for it once is enough."""
        for claimed in list(self._claimed.values()):
            try:
                self._port.ask(parse(claimed.delivery))
            except (UnknownJobError, MalformedError) as error:
                self._lacks[claimed.execution] = could_not_judge(str(error))
            except UnavailableError as error:
                if now - claimed.at < PATIENCE:
                    return
                self._lacks[claimed.execution] = could_not_judge(str(error))
            del self._claimed[claimed.execution]

    def _report_lacks(self) -> None:
        """Report what has no answer; what the service refuses for good is dropped."""
        for execution, lack in list(self._lacks.items()):
            try:
                self._client.report_outcome(execution, lack)
            except CueError as error:
                _log.warning("CueAPI was not told execution=%s error=%s", execution, error)
            del self._lacks[execution]


def _delivery(shown: Mapping[str, Any]) -> bytes:
    """Write an execution as a delivery of the other transport, for it is read as one."""
    keys = ("execution_id", "payload", "scheduled_for")
    return json.dumps({key: shown[key] for key in keys if key in shown}).encode()
