"""The queue of the main loop, and the ways to put something on it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from cronverifyd.errors import StateError, UnavailableError
from cronverifyd.model import (
    A,
    Beaten,
    Delivered,
    Look,
    Measured,
    Rehearsed,
    Reported,
    Request,
    TriggeredBy,
)

if TYPE_CHECKING:
    from enum import Enum

Report = Delivered | Measured | Rehearsed | Beaten | Reported

ANSWER_WITHIN_S = 20.0
"""CueAPI gives a delivery up after 30 s."""

ALIVE_WITHIN_S = 30.0
"""The loop turns at least at every tick of the timer; a long turn may take longer than that."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message, and where its answer goes; None: nobody waits."""

    message: Look | Request[Any] | Report | Enum
    reply: Future[Any] | None = None


class Bell:
    """What doorbells ring. All methods may be called from any thread, and from signal handlers."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Envelope] = SimpleQueue()
        self._look_waits = threading.Event()
        self._turned_at = time.monotonic()

    def ring(self, by: TriggeredBy) -> None:
        """Ask for a look. One that waits already will see whatever this one would."""
        if not self._look_waits.is_set():
            self._look_waits.set()
            self._queue.put(Envelope(Look(triggered_by=by)))

    def put(self, message: Report | Enum) -> None:
        """Put a message that wants no answer."""
        self._queue.put(Envelope(message))

    def ask(self, message: Request[A]) -> A:
        """Put a message and wait for the answer.

        Raises what the main loop raised, or UnavailableError when no answer came in time.
        """
        reply: Future[A] = Future()
        self._queue.put(Envelope(message, reply))
        try:
            return reply.result(ANSWER_WITHIN_S)
        except TimeoutError as error:
            reply.cancel()
            raise UnavailableError("the main loop gave no answer in time") from error

    def alive(self) -> bool:
        """Say whether the main loop has turned lately."""
        return time.monotonic() - self._turned_at < ALIVE_WITHIN_S

    def take(self, timeout_s: float) -> Envelope:
        """Wait for the next message; the main loop's own.

        Raises StateError when nothing came within `timeout_s`: the timer that should ring is dead.
        """
        try:
            envelope = self._queue.get(timeout=timeout_s)
        except Empty as error:
            raise StateError(f"nothing rang for {timeout_s:g} s: the timer is dead") from error
        if isinstance(envelope.message, Look):
            # Before the look, so that what comes during it rings again.
            self._look_waits.clear()
        return envelope

    def drain(self) -> list[Envelope]:
        """Take out all that waits, when the loop has ended."""
        waiting: list[Envelope] = []
        with suppress(Empty):
            while True:
                waiting.append(self._queue.get_nowait())
        # A look may have been among them: as long as it counts as waiting, nothing rings again.
        self._look_waits.clear()
        return waiting

    def turned(self) -> None:
        """Note that the main loop has completed a turn."""
        self._turned_at = time.monotonic()
