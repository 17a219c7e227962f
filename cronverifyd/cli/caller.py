"""A caller off the host, as CueAPI is one: it asks after each job when the job should be done.

It makes deliveries as CueAPI does, signed, and listens to the answers.
"""

from __future__ import annotations

import json
import threading
import urllib.request
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cronverifyd.cue.signature import sign
from cronverifyd.daemon.clock import read_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ANSWERS_WITHIN_S = 10.0
_ON_THE_WAY = timedelta(seconds=0.5)


class Caller:
    """Asks after jobs that are due every `period_s` seconds; `windows_s`: how long each has.

    `show` is called with each job's name and the first answer to it.
    """

    def __init__(
        self, period_s: int, windows_s: Mapping[str, float], show: Callable[[str, str], None]
    ) -> None:
        self._period_s = period_s
        self._windows_s = windows_s
        self._show = show
        self._shown: set[str] = set()
        self._over = threading.Event()

    @contextmanager
    def calling(self, url: str, secret: str) -> Iterator[None]:
        """Call until the end of the block."""
        thread = threading.Thread(target=self._call, args=(url, secret), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _call(self, url: str, secret: str) -> None:
        # The jobs that are due by now began before anybody watched them.
        after = read_clock() + timedelta(seconds=max(self._windows_s.values()))
        while True:
            at = min(self._next(job, after) for job in self._windows_s)
            left = (at + _ON_THE_WAY - read_clock()).total_seconds()
            if self._over.wait(max(0.0, left)):
                return
            for name in [j for j in self._windows_s if self._next(j, after) == at]:
                self._ask(url, secret, name, at)
            after = at

    def _next(self, job: str, after: datetime) -> datetime:
        """Give the first end of a window of the job that is later than an instant."""
        window_s = self._windows_s[job]
        slots = (after.timestamp() - window_s) // self._period_s + 1
        return datetime.fromtimestamp(slots * self._period_s + window_s, UTC)

    def _ask(self, url: str, secret: str, job: str, scheduled_for: datetime) -> None:
        body = json.dumps(
            {
                "attempt": 1,
                "cue_id": f"cue_{job}",
                "execution_id": str(uuid.uuid4()),
                "name": f"cronverifyd/demo/{job}",
                "payload": {"instance": "demo", "job": job, "v": 1},
                "scheduled_for": scheduled_for.isoformat(),
            }
        ).encode()
        timestamp = str(int(read_clock().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "X-CueAPI-Timestamp": timestamp,
            "X-CueAPI-Signature": sign(secret, timestamp, body),
        }
        request = urllib.request.Request(url, body, headers)  # noqa: S310 (our own address)
        try:
            with urllib.request.urlopen(request, timeout=_ANSWERS_WITHIN_S) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
        except OSError:
            return  # the daemon stops
        if job not in self._shown:
            self._shown.add(job)
            self._show(job, str(answer["result"]))
