"""What CueAPI has to be told of its executions, and how far that has come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from cronverifyd.model import DeliveryResult
from cronverifyd.store.instants import from_us, from_us_or_none, to_us
from cronverifyd.store.outbox import backoff_s

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from cronverifyd.model import Delivery

GIVE_UP_AFTER = timedelta(hours=24)


class Owed(NamedTuple):
    """An execution that CueAPI is to hear of, and the answer that it was given, as JSON."""

    execution: str
    answer: str


class Reports:
    """The rows of one database. Every method belongs into a transaction of the store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, execution: str, answer: str, now: datetime) -> None:
        """Queue a report; one that is queued already stays as it is."""
        self._db.execute(
            "INSERT INTO report (execution, answer, created_us, next_try_us) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (execution, answer, to_us(now), to_us(now)),
        )

    def first(self, now: datetime) -> Owed | None:
        """Give the report that has been due for longest, or None."""
        row = self._db.execute(
            "SELECT execution, answer FROM report WHERE next_try_us <= ?"
            " ORDER BY next_try_us LIMIT 1",
            (to_us(now),),
        ).fetchone()
        return None if row is None else Owed(row["execution"], row["answer"])

    def next_try(self) -> datetime | None:
        """Say when the next report is due, or None."""
        row = self._db.execute("SELECT min(next_try_us) FROM report").fetchone()
        return from_us_or_none(row[0])

    def settle(self, execution: str, delivery: Delivery, now: datetime) -> bool:
        """Record what came of an attempt; False if it is given up without having arrived."""
        row = self._db.execute(
            "SELECT created_us, tries FROM report WHERE execution = ?", (execution,)
        ).fetchone()
        if row is None:
            return True
        tries = row["tries"] + 1
        is_old = now - from_us(row["created_us"]) >= GIVE_UP_AFTER
        if delivery.result is DeliveryResult.RETRY and not is_old:
            wait = delivery.retry_after_s or backoff_s(execution, tries)
            self._db.execute(
                "UPDATE report SET tries = ?, next_try_us = ?, error = ? WHERE execution = ?",
                (tries, to_us(now + timedelta(seconds=wait)), delivery.error, execution),
            )
            return True
        self._db.execute("DELETE FROM report WHERE execution = ?", (execution,))
        return delivery.result is DeliveryResult.SENT
