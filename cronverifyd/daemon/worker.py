"""A thread that does one thing after the other for the main loop, so that nothing holds that up."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Q = TypeVar("Q")
R = TypeVar("R")


class Worker(Generic[Q, R]):
    """One thread. `work` raises nothing; `report` is called, in that thread, with each answer."""

    def __init__(self, name: str, work: Callable[[Q], R], report: Callable[[R], None]) -> None:
        self._work = work
        self._report = report
        self._waiting: SimpleQueue[tuple[Q] | None] = SimpleQueue()
        # daemon: a file system or a host that hangs must not keep the process from stopping; the
        # next start asks for what was not done once more.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hand(self, request: Q) -> None:
        """Give it one request."""
        self._waiting.put((request,))

    def dismiss(self) -> None:
        """Let it finish what it does, and take nothing more."""
        self._waiting.put(None)

    def has_ended(self, within_s: float) -> bool:
        """Wait for its end; False if that took longer than `within_s`."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def stop(self, timeout_s: float) -> bool:
        """Take nothing more; False if it was still at work after `timeout_s`."""
        self.dismiss()
        return self.has_ended(timeout_s)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._report(self._work(item[0]))
