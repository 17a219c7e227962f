"""A main loop of the tests' own, and servers around it."""

import queue
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Self

from cronverifyd.errors import UnavailableError
from cronverifyd.web.limits import Limits
from cronverifyd.web.server import Server


class Loop:
    """A Port with a real queue and a real thread behind it. `answers`: per message, in order.

    An answer that is an exception is raised to who asked; with none left, nobody answers.
    """

    def __init__(self, *answers: object, within_s=5.0) -> None:
        self.asked = []
        self.turns = True
        self._answers = list(answers)
        self._within_s = within_s
        self._queue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)

    def ask(self, message):
        future = Future()
        self._queue.put((message, future))
        try:
            return future.result(self._within_s)
        except TimeoutError as error:
            raise UnavailableError("the main loop gave no answer in time") from error

    def alive(self):
        return self.turns

    def _run(self):
        while (item := self._queue.get()) is not None:
            message, future = item
            self.asked.append(message)
            if self._answers:
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                tell = future.set_exception if isinstance(answer, Exception) else future.set_result
                tell(answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()


@contextmanager
def serving(app, listener, limits=None):
    """Serve an application until the end of the block; nobody may die meanwhile."""
    deaths = []
    server = Server("test-server", app, listener, deaths.append, limits or Limits())
    server.start()
    try:
        yield server
    finally:
        server.stop()
    assert deaths == []
