"""The outbox: what people have to be told, where, and how far that has come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple
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
from cronverifyd.store.instants import from_us, from_us_or_none, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from cronverifyd.model import Delivery

GIVE_UP_AFTER = timedelta(hours=24)
_LONGEST_WAIT_S = 300.0
_ALERT_KINDS = frozenset(AlertKind)
_RECOVERIES = (
    AlertKind.RECOVERED,
    NoticeKind.SIGHTED,
    NoticeKind.CRON_BACK,
    NoticeKind.CUEAPI_BACK,
)
_MOST_TOGETHER = 1_000
_PILE = 10
_OUT_OF_REACH = (
    "escalated = 0 AND (state = ? OR (tries > 0 AND next_try_us IS NOT NULL AND created_us <= ?))"
)


class Told(NamedTuple):
    """When a channel was first and last told of a cause; `of_all`: that it hits every job."""

    first: datetime
    last: datetime
    of_all: bool


class MutedRow(NamedTuple):
    """What a mute keeps back: the row's id, its channel, the message."""

    id: str
    channel: str
    message: Alert | Notice


class Outbox:
    """The rows of one database. Every method belongs into a transaction of the store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(
        self,
        message: Alert | Notice,
        channel: str,
        *,
        state: AlertState = AlertState.NEW,
        cause: str | None = None,
        not_before: datetime | None = None,
    ) -> bool:
        """Queue a message for a channel; False if it stands there already.

        `state`: new, or muted or folded: then it does not leave. `cause`: what it has in common
        with others. One that was folded leaves when it is added again.
        """
        cursor = self._db.execute(
            "INSERT INTO outbox (id, incident, job, kind, channel, state, created_us, next_try_us,"
            " message, cause) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, message = excluded.message,"
            " next_try_us = excluded.next_try_us, cause = excluded.cause WHERE state = 'folded'",
            (
                f"{message.id}.{channel}",
                message.incident,
                message.job or (message.incident and BLIND),
                message.kind,
                channel,
                state,
                to_us(message.created_at),
                to_us(not_before or message.created_at) if state is AlertState.NEW else None,
                msgspec.json.encode(message).decode(),
                cause,
            ),
        )
        return cursor.rowcount == 1

    def told_of(self, cause: str, channel: str) -> Told | None:
        """Say when a channel was told of a cause; None: it was not, or not yet."""
        row = self._db.execute(
            "SELECT min(created_us) AS first, max(created_us) AS last, max(kind = ?) AS of_all"
            " FROM outbox WHERE cause = ? AND channel = ? AND (state IN ('sending', 'sent')"
            " OR kind = ? AND state IN ('new', 'failed'))",
            (NoticeKind.CRON_DEAD, cause, channel, NoticeKind.CRON_DEAD),
        ).fetchone()
        if row["first"] is None:
            return None
        return Told(from_us(row["first"]), from_us(row["last"]), bool(row["of_all"]))

    def hurry(
        self, channel: str, now: datetime, *, cause: str | None = None, job: str | None = None
    ) -> None:
        """Let what is held back of a cause, or of a job, leave now."""
        self._db.execute(
            "UPDATE outbox SET next_try_us = ? WHERE channel = ? AND state = 'new'"
            " AND next_try_us > ? AND (cause = ? OR job = ?)",
            (to_us(now), channel, to_us(now), cause, job),
        )

    def muted(self) -> list[MutedRow]:
        """Return what is kept back by mutes, oldest first."""
        rows = self._db.execute(
            "SELECT id, channel, kind, message FROM outbox WHERE state = 'muted' ORDER BY seq"
        )
        return [MutedRow(row["id"], row["channel"], _message_of(row)) for row in rows]

    def release(self, rows: Sequence[str], now: datetime) -> None:
        """Let leave what a mute kept back and is still true: the last word on each incident.

        That is so while it is open, and for a recovery, since its opening was told before. The
        openings that leave count as announced.
        """
        ids = ", ".join("?" * len(rows))
        self._db.execute(
            "UPDATE outbox SET state = 'new', next_try_us = ? WHERE seq IN"
            f" (SELECT max(seq) FROM outbox WHERE id IN ({ids}) AND incident IS NOT NULL"
            " GROUP BY incident, channel) AND (kind IN (?, ?, ?, ?)"
            " OR incident IN (SELECT id FROM incident WHERE closed_us IS NULL))",
            (to_us(now), *rows, *_RECOVERIES),
        )
        self._db.execute(
            "UPDATE incident SET announced = 1 WHERE closed_us IS NULL AND id IN"
            f" (SELECT incident FROM outbox WHERE state = 'new' AND id IN ({ids}))",
            tuple(rows),
        )
        self._db.execute(
            "UPDATE outbox SET state = 'superseded', error = 'swallowed by a mute'"
            f" WHERE state = 'muted' AND id IN ({ids})",
            tuple(rows),
        )

    def take(
        self, channel: str, now: datetime, *, together: bool = True
    ) -> list[tuple[str, Alert | Notice]]:
        """Mark `sending` all that waits for a channel; return the ids of the rows and the messages.

        `together` False: only what concerns the first one's incident, unless much has piled up. A
        channel that did not take the last message is left alone until its next try, so that all
        stays in order. The mark comes before the request, so that after a crash in between the
        message can say that it may be a repetition. Of several, the output of jobs is left out.
        """
        if (until := self._backs_off_until(channel)) is not None and until > now:
            return []
        rows = self._db.execute(
            "SELECT id, kind, incident, message, alone FROM outbox"
            " WHERE channel = ? AND next_try_us <= ? AND state <> ? ORDER BY seq LIMIT ?",
            (channel, to_us(now), AlertState.SENDING, _MOST_TOGETHER),
        ).fetchall()
        taken = rows[:1]
        if rows and not rows[0]["alone"]:
            taken += takewhile(lambda row: not row["alone"], rows[1:])
            if not together and len(taken) <= _PILE:
                first = taken[0]["incident"]
                taken = [row for row in taken if row is taken[0] or row["incident"] == first]
                taken = taken if first else taken[:1]
        self._db.executemany(
            "UPDATE outbox SET state = ? WHERE id = ?",
            [(AlertState.SENDING, row["id"]) for row in taken],
        )
        return [(row["id"], _message_of(row, brief=len(taken) > 1)) for row in taken]

    def _backs_off_until(self, channel: str) -> datetime | None:
        row = self._db.execute(
            "SELECT max(next_try_us) FROM outbox WHERE channel = ? AND state = ?",
            (channel, AlertState.FAILED),
        ).fetchone()
        return from_us_or_none(row[0])

    def settle(self, rows: Sequence[str], delivery: Delivery, now: datetime) -> list[AlertState]:
        """Record what came of an attempt, and say where each of its rows stands now.

        A row that is settled already, as after a restart in between, stays as it is. Several that
        were refused together are tried one by one: one of them may be at fault.
        """
        if len(rows) > 1 and delivery.result is DeliveryResult.REFUSED:
            self._db.executemany(
                "UPDATE outbox SET state = ?, alone = 1, error = ? WHERE id = ?",
                [(AlertState.NEW, delivery.error, row) for row in rows],
            )
            return [AlertState.NEW] * len(rows)
        return [self._settle(row, delivery, now) for row in rows]

    def _settle(self, row_id: str, delivery: Delivery, now: datetime) -> AlertState:
        row = self._db.execute(
            "SELECT state, tries, created_us, next_try_us, cause, channel FROM outbox WHERE id = ?",
            (row_id,),
        ).fetchone()
        if row["next_try_us"] is None:
            return AlertState(row["state"])
        tries = row["tries"] + 1
        state = _next_state(delivery, from_us(row["created_us"]), now)
        wait = delivery.retry_after_s or backoff_s(row_id, tries)
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
        if row["cause"] is not None and state is not AlertState.SENT:
            self._unfold(row["cause"], row["channel"], now)
        return state

    def _unfold(self, cause: str, channel: str, now: datetime) -> None:
        """Let leave what was folded into a message that has not arrived."""
        self._db.execute(
            "UPDATE outbox SET state = 'new', next_try_us = ? WHERE cause = ? AND channel = ?"
            " AND state = 'folded'",
            (to_us(now), cause, channel),
        )

    def is_out_of_reach(self, before: datetime) -> bool:
        """Say whether there is something that `out_of_reach` would give."""
        row = self._db.execute(
            f"SELECT 1 FROM outbox WHERE {_OUT_OF_REACH} LIMIT 1", (AlertState.DEAD, to_us(before))
        ).fetchone()
        return row is not None

    def out_of_reach(self, before: datetime) -> list[tuple[str, Alert | Notice]]:
        """Give what a channel refused, or did not take since `before`, with the channel's name.

        Each is given once: a second channel tells it.
        """
        rows = self._db.execute(
            f"UPDATE outbox SET escalated = 1 WHERE {_OUT_OF_REACH}"
            " RETURNING seq, channel, kind, message",
            (AlertState.DEAD, to_us(before)),
        ).fetchall()
        return [(row["channel"], _message_of(row)) for row in sorted(rows, key=itemgetter("seq"))]

    def recover(self, now: datetime, busy: Collection[str] = ()) -> int:
        """Queue again what a crash left in the middle of sending; return how many rows.

        `busy`: channels of which somebody sees to that, for they are sending.
        """
        found = self._db.execute(
            "SELECT id, channel, kind, message FROM outbox WHERE state = ?", (AlertState.SENDING,)
        ).fetchall()
        rows = [row for row in found if row["channel"] not in busy]
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
            "SELECT channel FROM outbox WHERE incident = ? AND kind IN (?, ?, ?, ?, ?)"
            " AND state <> ? ORDER BY seq",
            (
                incident,
                AlertKind.OPENED,
                AlertKind.FLAPPING,
                NoticeKind.BLIND,
                NoticeKind.CRON_DEAD,
                NoticeKind.CUEAPI_LOST,
                AlertState.DEAD,
            ),
        )
        return tuple(dict.fromkeys(row["channel"] for row in rows))

    def supersede(self, row_id: str) -> None:
        """Drop the waiting recovery of an incident whose opening a channel has refused."""
        self._db.execute(
            "UPDATE outbox SET state = ?, next_try_us = NULL FROM"
            " (SELECT incident, channel FROM outbox WHERE id = ?) AS opening"
            " WHERE outbox.incident = opening.incident AND outbox.channel = opening.channel"
            " AND kind IN (?, ?, ?, ?) AND next_try_us IS NOT NULL",
            (AlertState.SUPERSEDED, row_id, *_RECOVERIES),
        )

    def last_word(self, incident: str, channel: str) -> Alert | Notice | None:
        """Return the newest message of an incident that was meant for a channel."""
        row = self._db.execute(
            "SELECT kind, message FROM outbox WHERE incident = ? AND channel = ?"
            " ORDER BY seq DESC LIMIT 1",
            (incident, channel),
        ).fetchone()
        return None if row is None else _message_of(row)

    def next_tries(self) -> dict[str, datetime]:
        """Say when each channel wants to be tried; channels for which nothing waits are absent."""
        rows = self._db.execute(
            "SELECT channel, coalesce(max(iif(state = ?, next_try_us, NULL)), min(next_try_us))"
            " AS next_us FROM outbox WHERE next_try_us IS NOT NULL AND state <> ?"
            " GROUP BY channel",
            (AlertState.FAILED, AlertState.SENDING),
        )
        return {row["channel"]: from_us(row["next_us"]) for row in rows}

    def bury(self, channel: str, why: str) -> None:
        """Give up what waits for a channel that is no more."""
        self._db.execute(
            "UPDATE outbox SET state = ?, next_try_us = NULL, error = ?"
            " WHERE channel = ? AND next_try_us IS NOT NULL",
            (AlertState.DEAD, why, channel),
        )


def _message_of(row: sqlite3.Row, *, brief: bool = False) -> Alert | Notice:
    """Read a row's message; `brief`: without the output of the job."""
    if row["kind"] not in _ALERT_KINDS:
        return msgspec.json.decode(row["message"], type=Notice)
    alert = msgspec.json.decode(row["message"], type=Alert)
    return replace(alert, output_tail=None) if brief else alert


def _next_state(delivery: Delivery, created_at: datetime, now: datetime) -> AlertState:
    if delivery.result is DeliveryResult.SENT:
        return AlertState.SENT
    if delivery.result is DeliveryResult.REFUSED or now - created_at >= GIVE_UP_AFTER:
        return AlertState.DEAD
    return AlertState.FAILED


def backoff_s(row_id: str, tries: int) -> float:
    """Back off: 1, 2, 4 … 300 s, each shortened by up to a half so that rows do not march in step.

    The jitter is drawn from the row's id, so that a replay gives the same instants.
    """
    whole = min(_LONGEST_WAIT_S, 2.0 ** min(tries - 1, 20))
    return whole * (1 - crc32(f"{row_id}:{tries}".encode()) / 2**33)
