"""Which channel is told of what, and when: the outbox and its couriers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.model import AlertState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cronverifyd.model import Alert, Delivered, Message, Notice
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

OUT_OF_REACH_AFTER = timedelta(minutes=5)
"""What a channel did not take for so long is told on the second one."""

_MANY = 10
"""After a message of so many, more is likely to come: it is gathered for twice as long."""

_PACE = timedelta(seconds=1)
"""Slack takes a message a second from a webhook."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message, and the rows of the outbox of which it tells."""

    rows: tuple[str, ...]
    message: Message


class Post:
    """One message at a time on each channel.

    The first one on a channel leaves at once; what follows within `gather` is one message.
    """

    def __init__(
        self,
        scope: Scope,
        store: Store,
        send: Callable[[str, tuple[str, ...], Message], None],
    ) -> None:
        self._scope = scope
        self._store = store
        self._send = send
        self._busy: set[str] = set()
        self._free_at: dict[str, datetime] = {}
        self._reports: list[Delivered] = []

    def moments(self) -> list[datetime]:
        """Say when the idle channels want to be tried."""
        return [self._moment(c, at) for c, at in self._waiting().items()]

    def due(self, now: datetime) -> list[str]:
        """Name the idle channels that have something to tell by now."""
        return sorted(c for c, at in self._waiting().items() if self._moment(c, at) <= now)

    def take(self, channel: str, now: datetime) -> Parcel | None:
        """Mark what waits for a channel as being sent; belongs into a transaction."""
        together = self._scope.gather > timedelta()
        taken = self._store.outbox.take(channel, now, together=together)
        if not taken:
            return None
        rows = tuple(row for row, _ in taken)
        return Parcel(rows, messages.gathered(self._scope, [m for _, m in taken], rows[0], now))

    def hand_over(self, channel: str, parcel: Parcel | None, now: datetime) -> None:
        """Give a parcel to the channel's sender, once it is marked."""
        if parcel is not None:
            self._busy.add(channel)
            pace = _PACE if self._scope.channels[channel].kind == "slack" else timedelta()
            gather = self._scope.gather * (2 if len(parcel.rows) >= _MANY else 1)
            self._free_at[channel] = now + max(gather, pace)
            self._send(channel, parcel.rows, parcel.message)

    def recover(self, now: datetime) -> None:
        """Send again what was marked as being sent and never handed over; within a transaction.

        A database that fails at the commit may have kept the mark all the same.
        """
        self._store.outbox.recover(now, self._busy)

    def report(self, delivered: Delivered) -> None:
        """Take a sender's report; it is kept until it can be recorded."""
        self._reports.append(delivered)

    def first_report(self) -> Delivered | None:
        """Give the oldest report that is not recorded yet."""
        return self._reports[0] if self._reports else None

    def forget_report(self) -> None:
        """Let go of the oldest report, for it is recorded; its channel is idle again."""
        self._busy.discard(self._reports.pop(0).channel)

    def settle(self, report: Delivered, now: datetime) -> None:
        """Record what came of an attempt; belongs into a transaction."""
        states = self._store.outbox.settle(report.rows, report.delivery, now)
        for row, state in zip(report.rows, states, strict=True):
            if state is AlertState.DEAD:
                self._store.outbox.supersede(row)
            self._store.note(
                "delivery",
                now,
                id=row,
                channel=report.channel,
                state=state,
                receipt=report.delivery.receipt,
                error=report.delivery.error,
            )

    def has_to_escalate(self, now: datetime) -> bool:
        """Say whether a second channel has to be told of what the first did not take."""
        if not self._scope.second:
            return False
        return self._store.outbox.is_out_of_reach(now - OUT_OF_REACH_AFTER)

    def escalate(self, now: datetime) -> None:
        """Queue for the second channel what the first did not take; belongs into a transaction."""
        for channel, message in self._store.outbox.out_of_reach(now - OUT_OF_REACH_AFTER):
            if channel in self._scope.second:
                continue  # nobody is left to be told
            word = replace(self._last_word(channel, message), instead_of=channel)
            for second in self._scope.second:
                if second in self._scope.channels:
                    self._store.outbox.add(word, second)

    def _last_word(self, channel: str, message: Alert | Notice) -> Alert | Notice:
        """Give the newest word on a message's incident: it may be over by now."""
        if message.incident is None:
            return message
        last = self._store.outbox.last_word(message.incident, channel) or message
        return messages.overtaking(last, message)

    def _waiting(self) -> dict[str, datetime]:
        waiting = self._store.outbox.next_tries().items()
        idle = self._scope.channels.keys() - self._busy
        return {channel: at for channel, at in waiting if channel in idle}

    def _moment(self, channel: str, at: datetime) -> datetime:
        return max(at, self._free_at.get(channel, at))
