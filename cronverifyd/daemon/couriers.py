"""Sender threads, one a channel, so that a hanging channel delays no other."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from cronverifyd.model import Delivered, Delivery, DeliveryResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cronverifyd.model import Message, Sender


class Courier:
    """One channel's thread. `report` is called, in that thread, with what came of each message."""

    def __init__(self, channel: str, sender: Sender, report: Callable[[Delivered], None]) -> None:
        self._channel = channel
        self._sender = sender
        self._report = report
        self._waiting: SimpleQueue[tuple[tuple[str, ...], Message] | None] = SimpleQueue()
        # daemon: a request that hangs must not keep the process from stopping; its row is marked
        # `sending`, and the next start tells it again.
        self._thread = threading.Thread(target=self._run, name=f"tell-{channel}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hand(self, rows: tuple[str, ...], message: Message) -> None:
        """Give it one message, which tells of these rows of the outbox."""
        self._waiting.put((rows, message))

    def dismiss(self) -> None:
        """Let it finish what it sends, and take nothing more."""
        self._waiting.put(None)

    def has_ended(self, within_s: float) -> bool:
        """Wait for its end; False if that took longer than `within_s`."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._report(attempt(self._channel, self._sender, *item))


def attempt(channel: str, sender: Sender, rows: tuple[str, ...], message: Message) -> Delivered:
    """Send one message and report; whatever a sender raises is one more reason to try again."""
    try:
        delivery = sender.send(message)
    except Exception as error:  # noqa: BLE001 (the thread's edge: one bad message stops no other)
        what = f"the sender failed: {type(error).__name__}"
        delivery = Delivery(result=DeliveryResult.RETRY, error=what)
    return Delivered(rows=rows, channel=channel, delivery=delivery)


class Couriers:
    """The couriers of all channels."""

    def __init__(self, senders: Mapping[str, Sender], report: Callable[[Delivered], None]) -> None:
        self._couriers = {c: Courier(c, sender, report) for c, sender in senders.items()}

    def start(self) -> None:
        """Start all threads."""
        for courier in self._couriers.values():
            courier.start()

    def hand_over(self, channel: str, rows: tuple[str, ...], message: Message) -> None:
        """Give a message to its channel's courier."""
        self._couriers[channel].hand(rows, message)

    def stop(self, timeout_s: float) -> list[str]:
        """Stop all; return the channels that were still sending when the time was over."""
        for courier in self._couriers.values():
            courier.dismiss()
        share = timeout_s / max(1, len(self._couriers))
        return [c for c, courier in self._couriers.items() if not courier.has_ended(share)]
