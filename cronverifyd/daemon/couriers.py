"""Sender threads, one a channel, so that a hanging channel delays no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.daemon.worker import Worker
from cronverifyd.model import Delivered, Delivery, DeliveryResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cronverifyd.model import Message, Sender

    _Parcel = tuple[tuple[str, ...], Message]


def attempt(channel: str, sender: Sender, rows: tuple[str, ...], message: Message) -> Delivered:
    """Send one message and report; whatever a sender raises is one more reason to try again."""
    try:
        delivery = sender.send(message)
    except Exception as error:  # noqa: BLE001 (the thread's edge: one bad message stops no other)
        what = f"the sender failed: {type(error).__name__}"
        delivery = Delivery(result=DeliveryResult.RETRY, error=what)
    return Delivered(rows=rows, channel=channel, delivery=delivery)


def _work(channel: str, sender: Sender) -> Callable[[_Parcel], Delivered]:
    return lambda parcel: attempt(channel, sender, *parcel)


class Couriers:
    """The couriers of all channels."""

    def __init__(self, senders: Mapping[str, Sender], report: Callable[[Delivered], None]) -> None:
        self._couriers: dict[str, Worker[_Parcel, Delivered]] = {
            channel: Worker(f"tell-{channel}", _work(channel, sender), report)
            for channel, sender in senders.items()
        }

    def start(self) -> None:
        """Start all threads."""
        for courier in self._couriers.values():
            courier.start()

    def hand_over(self, channel: str, rows: tuple[str, ...], message: Message) -> None:
        """Give a message to its channel's courier."""
        self._couriers[channel].hand((rows, message))

    def stop(self, timeout_s: float) -> list[str]:
        """Stop all; return the channels that were still sending when the time was over."""
        for courier in self._couriers.values():
            courier.dismiss()
        share = timeout_s / max(1, len(self._couriers))
        return [c for c, courier in self._couriers.items() if not courier.has_ended(share)]
