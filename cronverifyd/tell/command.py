"""A program of the operator's own, which reads the message as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.model import Alert
from cronverifyd.tell.document import encoded, kind_of
from cronverifyd.tell.program import TIMEOUT_S, deliver, environment
from cronverifyd.tell.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronverifyd.model import Delivery, Message


class CommandSender:
    """One program and its arguments."""

    def __init__(self, command: Sequence[str], timeout_s: float = TIMEOUT_S) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s

    def send(self, message: Message) -> Delivery:
        """Run the program with one message and say what came of it; raise nothing.

        CRONVERIFY_JOB is empty for what is about no job.
        """
        job = one_line(message.job, 100) if isinstance(message, Alert) else ""
        environ = environment(CRONVERIFY_JOB=job, CRONVERIFY_KIND=kind_of(message))
        return deliver(self._command, encoded(message) + b"\n", environ, self._timeout_s)
