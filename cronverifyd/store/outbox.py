"""The outbox: what people have to be told, where, and how far that has come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from cronverifyd.model import (
    BLIND,
    Alert,
    AlertKind,
    AlertState,
    DeliveryResult,
    Notice,
    NoticeKind,
)
from cronverifyd.store.instants import from_us, to_us

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from cronverifyd.model import Delivery

GIVE_UP_AFTER = timedelta(hours=24)
_LONGEST_WAIT_S = 300.0
_ALERT_KINDS = frozenset(AlertKind)
_IS_NEXT = (
    "state <> 'sending' AND NOT EXISTS ("
    "SELECT 1 FROM outbox AS e WHERE e.channel = o.channel AND e.job = o.job"
    " AND e.seq < o.seq AND e.next_try_us IS NOT NULL)"
)
"""A row that nobody is sending, and before which nothing of its job waits."""


class Outbox:
    """The rows of one database. Every method belongs into a transaction of the store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, message: Alert | Notice, channel: str) -> bool:
        """Queue a message for a channel; False if it stands there already."""
        alert = message if isinstance(message, Alert) else None
        at = to_us(message.created_at)
        row = (
            f"{message.id}.{channel}",
            message.incident,
            # What stands in a job's place keeps an incident's messages in their order.
            alert.job if alert else message.incident and BLIND,
            message.kind,
            channel,
            AlertState.NEW,
            at,
            at,
            msgspec.json.encode(message).decode(),
        )
        cursor = self._db.execute(
            "INSERT INTO outbox (id, incident, job, kind, channel, state, created_us, next_try_us,"
            " message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            row,
        )
        return cursor.rowcount == 1

    def take(self, channel: str, now: datetime) -> tuple[str, Alert | Notice] | None:
        """Mark the channel's next row `sending` and return its id and message.

        Order is kept within a job: a recovery waits for its opening. The mark comes before the
        request, so that after a crash in between the message can say that it may be a repetition.
        """
        row = self._db.execute(
            "SELECT id, kind, message FROM outbox AS o"
            f" WHERE channel = ? AND next_try_us <= ? AND {_IS_NEXT} ORDER BY seq LIMIT 1",
            (channel, to_us(now)),
        ).fetchone()
        if row is None:
            return None
        self._db.execute(
            "UPDATE outbox SET state = ? WHERE id = ?", (AlertState.SENDING, row["id"])
        )
        return row["id"], _message_of(row)

    def settle(self, row_id: str, delivery: Delivery, now: datetime) -> AlertState:
        """Record what came of an attempt, and say where the row stands now.

        A row that is settled already, as after a restart in between, stays as it is.
        """
        row = self._db.execute(
            "SELECT state, tries, created_us, next_try_us FROM outbox WHERE id = ?", (row_id,)
        ).fetchone()
        if row["next_try_us"] is None:
            return AlertState(row["state"])
        tries = row["tries"] + 1
        state = _next_state(delivery, from_us(row["created_us"]), now)
        wait = delivery.retry_after_s or _wait_s(row_id, tries)
        self._db.execute(
            "UPDATE outbox SET state = ?, tries = ?, next_try_us = ?, sent_us = ?, receipt = ?,"
            " error = ? WHERE id = ?",
            (
                state,
                tries,
                to_us(now + timedelta(seconds=wait)) if state is AlertState.FAILED else None,
                to_us(now) if state is AlertState.SENT else None,
                delivery.receipt,
                delivery.error,
                row_id,
            ),
        )
        return state

    def recover(self, now: datetime) -> int:
        """Queue again what a crash left in the middle of sending; return how many rows."""
        rows = self._db.execute(
            "SELECT id, kind, message FROM outbox WHERE state = ?", (AlertState.SENDING,)
        ).fetchall()
        for row in rows:
            message = replace(_message_of(row), may_repeat=True)
            self._db.execute(
                "UPDATE outbox SET state = ?, next_try_us = ?, message = ? WHERE id = ?",
                (
                    AlertState.NEW,
                    to_us(now),
                    msgspec.json.encode(message).decode(),
                    row["id"],
                ),
            )
        return len(rows)

    def channels_of(self, incident: str) -> tuple[str, ...]:
        """Name the channels that were or will be told of an incident's opening."""
        rows = self._db.execute(
            "SELECT channel FROM outbox WHERE incident = ? AND kind IN (?, ?) AND state <> ?"
            " ORDER BY seq",
            (incident, AlertKind.OPENED, NoticeKind.BLIND, AlertState.DEAD),
        )
        return tuple(row["channel"] for row in rows)

    def supersede(self, incident: str, channel: str) -> None:
        """Drop a waiting recovery whose opening the channel has refused."""
        self._db.execute(
            "UPDATE outbox SET state = ?, next_try_us = NULL"
            " WHERE incident = ? AND channel = ? AND kind IN (?, ?) AND next_try_us IS NOT NULL",
            (
                AlertState.SUPERSEDED,
                incident,
                channel,
                AlertKind.RECOVERED,
                NoticeKind.SIGHTED,
            ),
        )

    def next_tries(self) -> dict[str, datetime]:
        """Say when each channel's next row is due; channels for which nothing waits are absent."""
        rows = self._db.execute(
            "SELECT channel, min(next_try_us) AS next_us FROM outbox AS o"
            f" WHERE next_try_us IS NOT NULL AND {_IS_NEXT} GROUP BY channel"
        )
        return {row["channel"]: from_us(row["next_us"]) for row in rows}

    def bury(self, channel: str, why: str) -> None:
        """Give up what waits for a channel that is no more."""
        self._db.execute(
            "UPDATE outbox SET state = ?, next_try_us = NULL, error = ?"
            " WHERE channel = ? AND next_try_us IS NOT NULL",
            (AlertState.DEAD, why, channel),
        )


def _message_of(row: sqlite3.Row) -> Alert | Notice:
    if row["kind"] in _ALERT_KINDS:
        return msgspec.json.decode(row["message"], type=Alert)
    return msgspec.json.decode(row["message"], type=Notice)


def _next_state(delivery: Delivery, created_at: datetime, now: datetime) -> AlertState:
    if delivery.result is DeliveryResult.SENT:
        return AlertState.SENT
    if delivery.result is DeliveryResult.REFUSED or now - created_at >= GIVE_UP_AFTER:
        return AlertState.DEAD
    return AlertState.FAILED


def _wait_s(row_id: str, tries: int) -> float:
    """Back off: 1, 2, 4 … 300 s, each shortened by up to a half so that rows do not march in step.

    The jitter is drawn from the row's id, so that a replay gives the same instants.
    """
    whole = min(_LONGEST_WAIT_S, 2.0 ** min(tries - 1, 20))
    return whole * (1 - crc32(f"{row_id}:{tries}".encode()) / 2**33)
