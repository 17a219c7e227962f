"""The reading side: opened read-only for one look, with a deadline, and closed at once.

A reader that stays open keeps the write-ahead log from being folded in, and it grows without end.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronverifyd.errors import StateError
from cronverifyd.model import AlertState, DeliveryRow, Mark, OutboxRow, Verdict
from cronverifyd.store.instants import from_us, from_us_or_none, to_us
from cronverifyd.store.rows import (
    INCIDENT_LIST,
    RUN_LIST,
    SLOT_LIST,
    finding_of,
    hole_of,
    incident_of,
    mute_of,
    run_of,
    slot_of,
    tenure_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from cronverifyd.model import Finding, Hole, Incident, JudgedSlot, Mute, Run, Tenure

DATABASE = "cronverifyd.sqlite3"
_BUSY_TIMEOUT_S = 5.0
_MOST_SPOOFED = 10
# What nobody waits for: it was told, or somebody decided that it need not be, or not yet.
_OVER = (AlertState.SENT, AlertState.SUPERSEDED, AlertState.MUTED, AlertState.FOLDED)


@contextmanager
def open_reader(state_dir: Path) -> Iterator[Reader]:
    """Open the state's database for reading.

    Raises StateError when there is none, or when it cannot be read.
    """
    path = state_dir / DATABASE
    uri = uri_for_reading(path)
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")  # one moment for all that is asked
            yield Reader(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error


def uri_for_reading(path: Path) -> str:
    """Name an existing database for SQLite to read."""
    try:
        path.stat()
        # Without a -wal file a reader who may not write could not open the database at all.
        immutable = "" if path.with_name(f"{DATABASE}-wal").exists() else "&immutable=1"
        return f"{path.resolve().as_uri()}?mode=ro{immutable}"
    except FileNotFoundError as error:
        raise StateError(
            f"{path}: there is no database: nothing has been verified here yet",
            remedy="cronverifyd run, or cronverifyd check for a single look",
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StateError:
    remedy = "run this as the daemon's user, or as root"
    return StateError(f"{path}: cannot be read: {error}", remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """When a run that has ended belonged, began and ended; None: that is not known."""

    slot: datetime
    started_at: datetime | None
    ended_at: datetime
    duration_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pile:
    """The messages of one channel that stand alike.

    `oldest`: when the first was made, of those that were not sent. `last_sent`: of those that were.
    """

    channel: str
    state: AlertState
    count: int
    oldest: datetime | None
    last_sent: datetime | None


class Reader:
    """What anybody may ask of a database; those who only look ask nothing else."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def tenures(self) -> dict[str, Tenure]:
        """Return since when each job is owed."""
        rows = self._db.execute(
            "SELECT name, schedule, timezone, owed_since_us, cursor_us, active FROM job"
        )
        return {row["name"]: tenure_of(row) for row in rows}

    def last_slots(self, job: str, count: int) -> list[JudgedSlot]:
        """Return a job's newest slots, newest first, pending ones included."""
        rows = self._db.execute(
            f"SELECT {SLOT_LIST} FROM slot WHERE job = ? ORDER BY slot_us DESC LIMIT ?",
            (job, count),
        )
        return [slot_of(row) for row in rows]

    def strip(self, job: str, count: int) -> list[tuple[str, str]]:
        """Return a job's newest slots, oldest first: in its own zone, and the verdict."""
        rows = self._db.execute(
            "SELECT slot, verdict FROM slot WHERE job = ? ORDER BY slot_us DESC LIMIT ?",
            (job, count),
        ).fetchall()
        return [(row["slot"], row["verdict"]) for row in reversed(rows)]

    def last_due(self, job: str) -> JudgedSlot | None:
        """Return a job's newest slot that is not pending."""
        row = self._db.execute(
            f"SELECT {SLOT_LIST} FROM slot WHERE job = ? AND verdict <> ?"
            " ORDER BY slot_us DESC LIMIT 1",
            (job, Verdict.PENDING),
        ).fetchone()
        return None if row is None else slot_of(row)

    def last_due_by(self, job: str, deadline: datetime) -> JudgedSlot | None:
        """Return a job's newest slot that is not pending and whose window had ended by then."""
        row = self._db.execute(
            f"SELECT {SLOT_LIST} FROM slot WHERE job = ? AND verdict <> ? AND deadline_us <= ?"
            " ORDER BY slot_us DESC LIMIT 1",
            (job, Verdict.PENDING, to_us(deadline)),
        ).fetchone()
        return None if row is None else slot_of(row)

    def slots_that_count(self, job: str, count: int) -> list[JudgedSlot]:
        """Return a job's newest slots that are good or bad and not in maintenance, newest first."""
        rows = self._db.execute(
            f"SELECT {SLOT_LIST} FROM slot WHERE job = ? AND verdict NOT IN (?, ?) AND NOT quiet"
            " ORDER BY slot_us DESC LIMIT ?",
            (job, Verdict.PENDING, Verdict.UNKNOWN, count),
        )
        return [slot_of(row) for row in rows]

    def last_success(self, job: str) -> datetime | None:
        """Say when the run ended that made the job's newest good slot good."""
        row = self._db.execute(
            "SELECT run FROM slot WHERE job = ? AND verdict IN (?, ?)"
            " ORDER BY slot_us DESC LIMIT 1",
            (job, Verdict.OK, Verdict.LATE),
        ).fetchone()
        if row is None:
            return None
        ended = self._db.execute(
            "SELECT ended_us FROM run WHERE run = ? AND job = ?", (row["run"], job)
        ).fetchone()
        return None if ended is None else from_us_or_none(ended["ended_us"])

    def runs_of(self, job: str, slot: datetime) -> list[Run]:
        """Return the runs that belong to a slot and count."""
        rows = self._db.execute(
            f"SELECT {RUN_LIST} FROM run WHERE slot_us = ? AND job = ? AND spoofed = 0",
            (to_us(slot), job),
        )
        return [run_of(row) for row in rows]

    def newest_runs_of(self, job: str, slot: datetime) -> list[Run]:
        """Return the runs that belong to a slot, newest first; then the newest spoofed ones."""
        sound = self._db.execute(
            f"SELECT {RUN_LIST} FROM run WHERE slot_us = ? AND job = ? AND spoofed = 0"
            " ORDER BY coalesce(started_us, ended_us) DESC",
            (to_us(slot), job),
        )
        spoofed = self._db.execute(
            f"SELECT {RUN_LIST} FROM run WHERE slot_us = ? AND job = ? AND spoofed = 1"
            " ORDER BY run_rowid DESC LIMIT ?",
            (to_us(slot), job, _MOST_SPOOFED),
        )
        return [run_of(row) for row in (*sound, *spoofed)]

    def open_incidents(self) -> dict[str, Incident]:
        """Return the open incident of every job that has one."""
        rows = self._db.execute(f"SELECT {INCIDENT_LIST} FROM incident WHERE closed_us IS NULL")
        return {row["job"]: incident_of(row) for row in rows}

    def mutes(self) -> dict[str | None, Mute]:
        """Return the mutes that are not over yet, by job; None: of everything."""
        rows = self._db.execute("SELECT * FROM mute ORDER BY job")
        return {mute.job: mute for mute in map(mute_of, rows)}

    def last_incident(self, job: str) -> Incident | None:
        """Return a job's newest incident, open or closed."""
        row = self._db.execute(
            f"SELECT {INCIDENT_LIST} FROM incident WHERE job = ? ORDER BY opened_us DESC LIMIT 1",
            (job,),
        ).fetchone()
        return None if row is None else incident_of(row)

    def deliveries(self, incident: str) -> list[DeliveryRow]:
        """Return what was, or is to be, sent about an incident, in order."""
        rows = self._db.execute(
            "SELECT channel, kind, state, tries, sent_us, next_try_us, error FROM outbox"
            " WHERE incident = ? ORDER BY seq",
            (incident,),
        )
        return [
            DeliveryRow(
                channel=row["channel"],
                kind=row["kind"],
                state=AlertState(row["state"]),
                tries=row["tries"],
                sent_at=from_us_or_none(row["sent_us"]),
                next_try=from_us_or_none(row["next_try_us"]),
                error=row["error"],
            )
            for row in rows
        ]

    def outbox_rows(self, count: int, *, undelivered: bool = False) -> list[OutboxRow]:
        """Return the newest messages, newest first; `undelivered`: those that reached nobody."""
        over = _OVER if undelivered else ("",) * len(_OVER)
        rows = self._db.execute(
            "SELECT id, incident, job, kind, channel, state, tries, created_us, next_try_us,"
            " sent_us, receipt, error FROM outbox WHERE state NOT IN (?, ?, ?, ?)"
            " ORDER BY seq DESC LIMIT ?",
            (*over, count),
        )
        return [
            OutboxRow(
                id=row["id"],
                incident=row["incident"],
                job=None if (row["job"] or "~").startswith("~") else row["job"],
                kind=row["kind"],
                channel=row["channel"],
                state=AlertState(row["state"]),
                tries=row["tries"],
                created_at=from_us(row["created_us"]),
                next_try=from_us_or_none(row["next_try_us"]),
                sent_at=from_us_or_none(row["sent_us"]),
                receipt=row["receipt"],
                error=row["error"],
            )
            for row in rows
        ]

    def boots(self) -> dict[str, datetime]:
        """Return the boots of this host that were seen: when each was, by the kernel's id."""
        rows = self._db.execute("SELECT id, booted_us FROM boot ORDER BY booted_us")
        return {row["id"]: from_us(row["booted_us"]) for row in rows}

    def holes(self, since: datetime) -> list[Hole]:
        """Return the holes that last, or have ended after `since`."""
        rows = self._db.execute(
            "SELECT path, since_us, until_us, reason, writer_uid FROM hole"
            " WHERE until_us IS NULL OR until_us > ? ORDER BY since_us",
            (to_us(since),),
        )
        return [hole_of(row) for row in rows]

    def writers(self) -> dict[str, set[str]]:
        """Return the paths of the files that each job's lines came from."""
        found: dict[str, set[str]] = {}
        for row in self._db.execute("SELECT job, path FROM writer"):
            found.setdefault(row["job"], set()).add(row["path"])
        return found

    def findings(self, since: datetime, job: str | None = None) -> list[Finding]:
        """Return what was found odd since an instant, of one job or of all, newest first."""
        rows = self._db.execute(
            "SELECT job, kind, run, at_us, text FROM finding"
            " WHERE noted_us > ? AND (job = ? OR ? IS NULL) ORDER BY noted_us DESC",
            (to_us(since), job, job),
        )
        return [finding_of(row) for row in rows]

    def marks(self) -> list[Mark]:
        """Return how far each file was read."""
        rows = self._db.execute(
            "SELECT file_id, path, device, inode, position, probe, looked_us, over, writer_uid"
            " FROM file"
        )
        return [
            Mark(
                path=row["path"],
                device=row["device"],
                inode=row["inode"],
                position=row["position"],
                probe=row["probe"],
                looked_at=from_us(row["looked_us"]),
                over=bool(row["over"]),
                file_id=row["file_id"],
                writer_uid=row["writer_uid"],
            )
            for row in rows
        ]

    def last_timing(self, job: str) -> Timing | None:
        """Return the times of the run that decided a job's newest slot of which one has ended."""
        row = self._db.execute(
            "SELECT slot.slot_us, run.started_us, run.ended_us, run.duration_s"
            " FROM slot JOIN run ON run.run = slot.run AND run.job = slot.job"
            " WHERE slot.job = ? AND run.ended_us IS NOT NULL ORDER BY slot.slot_us DESC LIMIT 1",
            (job,),
        ).fetchone()
        if row is None:
            return None
        return Timing(
            slot=from_us(row["slot_us"]),
            started_at=from_us_or_none(row["started_us"]),
            ended_at=from_us(row["ended_us"]),
            duration_s=row["duration_s"],
        )

    def piles(self) -> list[Pile]:
        """Count the messages of each channel that wait, were sent, or were given up.

        Each of the three has an index of its own: the outbox of a year is not read for it.
        """
        rows = self._db.execute(
            "SELECT channel, state, count(*) AS count, min(created_us) AS oldest_us,"
            " NULL AS sent_us FROM outbox WHERE next_try_us IS NOT NULL GROUP BY channel, state"
            " UNION ALL SELECT channel, 'dead', count(*), min(created_us), NULL FROM outbox"
            " WHERE state = 'dead' GROUP BY channel"
            " UNION ALL SELECT channel, 'sent', count(*), NULL, max(sent_us) FROM outbox"
            " WHERE sent_us IS NOT NULL GROUP BY channel"
        )
        return [
            Pile(
                channel=row["channel"],
                state=AlertState(row["state"]),
                count=row["count"],
                oldest=from_us_or_none(row["oldest_us"]),
                last_sent=from_us_or_none(row["sent_us"]),
            )
            for row in rows
        ]

    def rejected(self) -> int:
        """Count the lines that were not outcomes."""
        row = self._db.execute("SELECT count FROM counter WHERE name = 'rejected'").fetchone()
        return 0 if row is None else int(row["count"])

    def undelivered(self) -> int:
        """Count the messages that reached nobody: those that wait and those that were given up."""
        row = self._db.execute(
            "SELECT count(*) FROM outbox WHERE state NOT IN (?, ?, ?, ?)",
            _OVER,
        ).fetchone()
        return int(row[0])

    def triggers(self) -> dict[str, datetime]:
        """Say when CueAPI last triggered each job that it has ever triggered by name."""
        rows = self._db.execute("SELECT job, at_us FROM trigger_seen")
        return {row["job"]: from_us(row["at_us"]) for row in rows}

    def last_deliveries(self) -> dict[str, datetime]:
        """Say when each channel last took a message; one that never did is absent."""
        rows = self._db.execute(
            "SELECT channel, max(sent_us) AS last_us FROM outbox WHERE sent_us IS NOT NULL"
            " GROUP BY channel"
        )
        return {row["channel"]: from_us(row["last_us"]) for row in rows}

    def last_refusals(self) -> dict[str, datetime]:
        """Say when the newest message was made that a channel refused for good."""
        rows = self._db.execute(
            "SELECT channel, max(created_us) AS last_us FROM outbox WHERE state = 'dead'"
            " GROUP BY channel"
        )
        return {row["channel"]: from_us(row["last_us"]) for row in rows}

    def waiting_since(self) -> dict[str, datetime]:
        """Say since when the oldest message waits that a channel was to take by now."""
        rows = self._db.execute(
            "SELECT channel, min(created_us) AS oldest_us FROM outbox"
            " WHERE next_try_us IS NOT NULL AND (state <> 'new' OR next_try_us <= created_us)"
            " GROUP BY channel"
        )
        return {row["channel"]: from_us(row["oldest_us"]) for row in rows}

    def signs(self) -> dict[str, tuple[datetime, str]]:
        """Say when each link was last seen, and what it said."""
        rows = self._db.execute("SELECT link, at_us, text FROM sign")
        return {row["link"]: (from_us(row["at_us"]), row["text"]) for row in rows}

    def drill(self, run: str) -> list[tuple[str, AlertState, str | None]]:
        """Return how far a drill's message has come: channel, state and error."""
        rows = self._db.execute(
            "SELECT channel, state, error FROM outbox WHERE id = 'drill-' || ? || '.' || channel",
            (run,),
        )
        return [(row["channel"], AlertState(row["state"]), row["error"]) for row in rows]

    def open_drills(self) -> dict[str, bool]:
        """Return the drills that are awaited, and whether they are quiet."""
        rows = self._db.execute("SELECT run, quiet FROM drill WHERE seen_us IS NULL")
        return {row["run"]: bool(row["quiet"]) for row in rows}

    def last_delivery(self) -> datetime | None:
        """Say when a channel last took a message."""
        row = self._db.execute("SELECT max(sent_us) FROM outbox").fetchone()
        return from_us_or_none(row[0])
