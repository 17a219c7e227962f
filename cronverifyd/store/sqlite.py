"""The writing side of the mirror: one connection, one short method a question.

The main thread has the only writing connection of the whole system: SQLite up to 3.51.2 can corrupt
a WAL database when two connections write or checkpoint at once.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cronverifyd.errors import StateError
from cronverifyd.model import Mark, Verdict
from cronverifyd.store.instants import from_us, from_us_or_none, to_us, to_us_or_none
from cronverifyd.store.journal import Journal
from cronverifyd.store.outbox import Outbox
from cronverifyd.store.reader import DATABASE, Reader
from cronverifyd.store.reports import Reports
from cronverifyd.store.rows import (
    INCIDENT_COLUMNS,
    INCIDENT_LIST,
    RUN_COLUMNS,
    RUN_LIST,
    SLOT_COLUMNS,
    SLOT_LIST,
    incident_row,
    run_of,
    run_row,
    slot_of,
    slot_row,
)
from cronverifyd.store.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from cronverifyd.model import (
        Finding,
        FindingKind,
        Hole,
        Incident,
        JudgedSlot,
        Mute,
        Run,
        Tenure,
    )

JOURNAL = "journal.jsonl"
_KEEP_DRILLS = timedelta(days=30)
_KEEP_EXECUTIONS = timedelta(hours=1)


def _marks(count: int) -> str:
    return ", ".join("?" * count)


_SAVE_RUN = (
    f"INSERT INTO run ({RUN_LIST}) VALUES ({_marks(len(RUN_COLUMNS))})"
    " ON CONFLICT (run, job) DO UPDATE SET "
    + ", ".join(f"{c} = excluded.{c}" for c in RUN_COLUMNS if c not in {"run", "job"})
)
_SAVE_SLOT = f"INSERT OR REPLACE INTO slot ({SLOT_LIST}) VALUES ({_marks(len(SLOT_COLUMNS))})"
_SAVE_INCIDENT = (
    f"INSERT INTO incident ({INCIDENT_LIST}) VALUES ({_marks(len(INCIDENT_COLUMNS))})"
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{c} = excluded.{c}" for c in INCIDENT_COLUMNS if c not in {"id", "job"})
)


class Store(Reader):
    """The database and the journal of one state folder, open for writing.

    It answers what a reader is asked, from inside its own transaction.
    """

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / DATABASE
        try:
            with ExitStack() as opened:
                self._journal = Journal(state_dir / JOURNAL)
                opened.callback(self._journal.close)
                self._db = sqlite3.connect(path, isolation_level=None)
                opened.callback(self._db.close)
                self._db.row_factory = sqlite3.Row
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA cache_size = -8192")
                migrate(self._db)
                self._opened = opened.pop_all()
        except (sqlite3.Error, OSError) as error:
            message = f"{path}: cannot be opened for writing: {error}"
            raise StateError(
                message, remedy=f"ls -ld {state_dir}; the daemon's user must own it"
            ) from error
        self._notes: list[dict[str, Any]] = []
        self.outbox = Outbox(self._db)
        self.reports = Reports(self._db)

    def close(self) -> None:
        """Close both; the write-ahead log is folded into the database."""
        self._opened.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written inside, or nothing; what was noted goes to the journal first."""
        self._notes.clear()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._journal.append(self._notes)
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite itself ends the transaction on some errors, such as a full disk.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def note(self, kind: str, now: datetime, **facts: Any) -> None:
        """Write into the journal, with the transaction, what no outcome file can say."""
        self._notes.append({"at": now, "kind": kind, **facts})

    # ---- outcome files ----------------------------------------------------------------------

    def save_mark(self, mark: Mark) -> Mark:
        """Keep a mark; a file that is new gets its number, and takes the place of its inode."""
        if mark.file_id is not None:
            self._db.execute(
                "UPDATE file SET path = ?, position = ?, probe = ?, looked_us = ?, over = ?,"
                " writer_uid = ? WHERE file_id = ?",
                (
                    mark.path,
                    mark.position,
                    mark.probe,
                    to_us(mark.looked_at),
                    mark.over,
                    mark.writer_uid,
                    mark.file_id,
                ),
            )
            return mark
        self._db.execute("DELETE FROM file WHERE device = ? AND inode = ?", mark.key)
        cursor = self._db.execute(
            "INSERT INTO file (path, device, inode, position, probe, looked_us, over, writer_uid)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                mark.path,
                *mark.key,
                mark.position,
                mark.probe,
                to_us(mark.looked_at),
                mark.over,
                mark.writer_uid,
            ),
        )
        return replace(mark, file_id=cursor.lastrowid)

    def count_rejected(self, file_id: int, lines: int) -> bool:
        """Count rejected lines of a file; True if they are its first."""
        self._db.execute(
            "INSERT INTO counter (name, count) VALUES ('rejected', ?)"
            " ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
            (lines,),
        )
        row = self._db.execute(
            "UPDATE file SET rejected = rejected + ? WHERE file_id = ? RETURNING rejected",
            (lines, file_id),
        ).fetchone()
        return bool(row["rejected"] == lines)

    def save_writer(self, job: str, path: str) -> None:
        """Keep which file a job's lines come from."""
        self._db.execute("INSERT OR IGNORE INTO writer (job, path) VALUES (?, ?)", (job, path))

    def save_hole(self, hole: Hole) -> None:
        """Keep a hole; one that lasts takes the place of the one before of the same file."""
        if hole.until is None:
            self.drop_hole(hole.path)
        self._db.execute(
            "INSERT INTO hole (path, since_us, until_us, reason, writer_uid)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                hole.path,
                to_us(hole.since),
                to_us_or_none(hole.until),
                hole.reason,
                hole.writer_uid,
            ),
        )

    def drop_hole(self, path: str) -> None:
        """Forget the hole of a file that can be read again: nothing of it was lost."""
        self._db.execute("DELETE FROM hole WHERE path = ? AND until_us IS NULL", (path,))

    # ---- jobs -------------------------------------------------------------------------------

    def save_tenure(self, tenure: Tenure) -> None:
        """Keep since when a job is owed, and its cursor."""
        self._db.execute(
            "INSERT OR REPLACE INTO job"
            " (name, schedule, timezone, owed_since_us, cursor_us, active)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                tenure.job,
                tenure.schedule,
                tenure.timezone,
                to_us(tenure.owed_since),
                to_us(tenure.cursor),
                tenure.active,
            ),
        )

    def move_cursors(self, cursors: Mapping[str, datetime]) -> None:
        """Keep the new cursors of jobs."""
        rows = [(to_us(cursor), job) for job, cursor in cursors.items()]
        self._db.executemany("UPDATE job SET cursor_us = ? WHERE name = ?", rows)

    # ---- runs -------------------------------------------------------------------------------

    def run(self, job: str, run_id: str) -> tuple[Run, datetime] | None:
        """Return a run and the slot that it belongs to."""
        row = self._db.execute(
            f"SELECT {RUN_LIST} FROM run WHERE run = ? AND job = ?", (run_id, job)
        ).fetchone()
        return None if row is None else (run_of(row), from_us(row["slot_us"]))

    def open_run_without_id(self, job: str) -> str | None:
        """Return the id that we gave to the job's newest open run whose writer gave it none."""
        row = self._db.execute(
            "SELECT run FROM run WHERE job = ? AND ended_us IS NULL AND spoofed = 0"
            " AND run GLOB '~*' ORDER BY started_us DESC LIMIT 1",
            (job,),
        ).fetchone()
        return None if row is None else str(row["run"])

    def alive_runs(self) -> list[tuple[Run, datetime]]:
        """Return the open runs of which a process is known, and their slots."""
        rows = self._db.execute(
            f"SELECT {RUN_LIST} FROM run INDEXED BY run_alive"
            " WHERE ended_us IS NULL AND lost_us IS NULL AND pid IS NOT NULL AND spoofed = 0"
        )
        return [(run_of(row), from_us(row["slot_us"])) for row in rows]

    def unmeasured_runs(self) -> list[tuple[Run, datetime]]:
        """Return the runs whose artifacts are still to be measured, and their slots."""
        rows = self._db.execute(f"SELECT {RUN_LIST} FROM run WHERE artifacts = '[]'")
        return [(run_of(row), from_us(row["slot_us"])) for row in rows]

    def measured_before(self, job: str, slot: datetime, count: int) -> list[Run]:
        """Return the deciding runs of the job's newest good slots before one, if measured."""
        rows = self._db.execute(
            f"SELECT {', '.join(f'run.{c}' for c in RUN_COLUMNS)} FROM slot"
            " JOIN run ON run.run = slot.run AND run.job = slot.job"
            " WHERE slot.job = ? AND slot.slot_us < ? AND verdict IN (?, ?)"
            " AND artifacts IS NOT NULL AND artifacts <> '[]'"
            " ORDER BY slot.slot_us DESC LIMIT ?",
            (job, to_us(slot), Verdict.OK, Verdict.LATE, count),
        )
        return [run_of(row) for row in rows]

    def ended_since(self, job: str, instant: datetime) -> bool:
        """Say whether a run of a slot after an instant has ended."""
        row = self._db.execute(
            "SELECT 1 FROM slot JOIN run ON run.job = slot.job AND run.slot_us = slot.slot_us"
            " WHERE slot.job = ? AND slot.slot_us > ? AND ended_us IS NOT NULL AND spoofed = 0"
            " LIMIT 1",
            (job, to_us(instant)),
        ).fetchone()
        return row is not None

    def open_runs(self, job: str) -> list[Run]:
        """Return the runs of a job whose end may still come."""
        rows = self._db.execute(
            f"SELECT {RUN_LIST} FROM run WHERE job = ? AND ended_us IS NULL AND lost_us IS NULL"
            " AND spoofed = 0",
            (job,),
        )
        return [run_of(row) for row in rows]

    def runs_between(self, job: str, first: datetime, last: datetime) -> list[Run]:
        """Return the runs of the job's slots from `first` to `last`."""
        rows = self._db.execute(
            f"SELECT {', '.join(f'run.{c}' for c in RUN_COLUMNS)} FROM slot"
            " JOIN run ON run.job = slot.job AND run.slot_us = slot.slot_us"
            " WHERE slot.job = ? AND slot.slot_us BETWEEN ? AND ? AND spoofed = 0",
            (job, to_us(first), to_us(last)),
        )
        return [run_of(row) for row in rows]

    def save_run(self, run: Run, slot: datetime) -> None:
        """Keep a run and the slot that it belongs to."""
        self._db.execute(_SAVE_RUN, run_row(run, slot))

    # ---- slots ------------------------------------------------------------------------------

    def slot(self, job: str, at: datetime) -> JudgedSlot | None:
        """Return a slot that was judged before."""
        row = self._db.execute(
            f"SELECT {SLOT_LIST} FROM slot WHERE job = ? AND slot_us = ?", (job, to_us(at))
        ).fetchone()
        return None if row is None else slot_of(row)

    def undecided(self) -> list[JudgedSlot]:
        """Return all slots whose verdict time alone may change."""
        rows = self._db.execute(
            f"SELECT {SLOT_LIST} FROM slot WHERE until_us IS NOT NULL ORDER BY until_us"
        )
        return [slot_of(row) for row in rows]

    def settled_at(self, at: datetime) -> set[str]:
        """Name the jobs whose slot at an instant is good already."""
        cursor = self._db.cursor()
        cursor.row_factory = None  # plain tuples: there may be 10,000
        cursor.execute(
            "SELECT job FROM slot INDEXED BY slot_settled"
            " WHERE slot_us = ? AND verdict IN ('ok', 'late')",
            (to_us(at),),
        )
        return {name for (name,) in cursor}

    def unknown_slots(self) -> list[JudgedSlot]:
        """Return all slots of which nobody could see what became of them, oldest first."""
        rows = self._db.execute(
            f"SELECT {SLOT_LIST} FROM slot WHERE verdict = 'unknown' ORDER BY slot_us"
        )
        return [slot_of(row) for row in rows]

    def settle_slots(self, job: str) -> None:
        """Expect nothing more of a job's slots: those that are pending were never to be owed."""
        self._db.execute("DELETE FROM slot WHERE job = ? AND verdict = ?", (job, Verdict.PENDING))
        self._db.execute("UPDATE slot SET until_us = NULL WHERE job = ?", (job,))

    def save_slot(self, judged: JudgedSlot) -> None:
        """Keep a slot's judgment in the place of the one before."""
        self._db.execute(_SAVE_SLOT, slot_row(judged))

    def drop_slot(self, job: str, at: datetime) -> None:
        """Forget a slot that was never owed and whose run turned out to belong elsewhere."""
        self._db.execute("DELETE FROM slot WHERE job = ? AND slot_us = ?", (job, to_us(at)))

    # ---- incidents --------------------------------------------------------------------------

    def save_incident(self, incident: Incident) -> None:
        """Keep an incident."""
        self._db.execute(_SAVE_INCIDENT, incident_row(incident))

    def openings_since(self, job: str, slot: datetime) -> int:
        """Count a job's incidents that began at a slot or later."""
        row = self._db.execute(
            "SELECT count(*) FROM incident WHERE job = ? AND first_slot_us >= ?",
            (job, to_us(slot)),
        ).fetchone()
        return int(row[0])

    def save_mute(self, mute: Mute) -> None:
        """Keep a mute in the place of the last one of its job."""
        self._db.execute(
            "INSERT OR REPLACE INTO mute (job, since_us, until_us, who, reason, swallowed)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                mute.job or "",
                to_us(mute.since),
                to_us(mute.until),
                mute.who,
                mute.reason,
                mute.swallowed,
            ),
        )

    def drop_mute(self, job: str | None) -> None:
        """Forget a mute."""
        self._db.execute("DELETE FROM mute WHERE job = ?", (job or "",))

    def save_drill(self, run: str, now: datetime, *, quiet: bool) -> None:
        """Keep a drill that is awaited; forget those of long ago."""
        self._db.execute("DELETE FROM drill WHERE asked_us < ?", (to_us(now - _KEEP_DRILLS),))
        self._db.execute(
            "INSERT OR REPLACE INTO drill (run, asked_us, quiet) VALUES (?, ?, ?)",
            (run, to_us(now), quiet),
        )

    def end_drill(self, run: str, now: datetime) -> None:
        """Keep that a drill's run was read."""
        self._db.execute("UPDATE drill SET seen_us = ? WHERE run = ?", (to_us(now), run))

    def save_sign(self, link: str, now: datetime, text: str = "") -> None:
        """Keep when a link was last seen."""
        self._db.execute(
            "INSERT OR REPLACE INTO sign (link, at_us, text) VALUES (?, ?, ?)",
            (link, to_us(now), text),
        )

    # ---- findings and boots -----------------------------------------------------------------

    def add_finding(self, finding: Finding, now: datetime) -> bool:
        """Keep a finding; False if it is known."""
        cursor = self._db.execute(
            "INSERT INTO finding (job, kind, run, at_us, noted_us, text) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (
                finding.job,
                finding.kind,
                finding.run,
                to_us(finding.at),
                to_us(now),
                finding.text,
            ),
        )
        return cursor.rowcount == 1

    def has_finding(self, finding: Finding) -> bool:
        """Say whether a finding is kept already."""
        row = self._db.execute(
            "SELECT 1 FROM finding WHERE job = ? AND kind = ? AND run = ?",
            (finding.job, finding.kind, finding.run),
        ).fetchone()
        return row is not None

    def last_finding(self, job: str, kind: FindingKind) -> datetime | None:
        """Say when a finding of this kind was last noted of a job."""
        row = self._db.execute(
            "SELECT max(noted_us) FROM finding WHERE job = ? AND kind = ?", (job, kind)
        ).fetchone()
        return from_us_or_none(row[0])

    def save_boot(self, boot: str, at: datetime) -> None:
        """Keep a boot of this host."""
        self._db.execute(
            "INSERT OR IGNORE INTO boot (id, booted_us) VALUES (?, ?)", (boot, to_us(at))
        )

    def save_trigger(self, job: str, now: datetime) -> None:
        """Keep that CueAPI has triggered a job."""
        self._db.execute(
            "INSERT OR REPLACE INTO trigger_seen (job, at_us) VALUES (?, ?)", (job, to_us(now))
        )

    # ---- executions -------------------------------------------------------------------------

    def execution_answer(self, execution: str, since: datetime) -> str | None:
        """Return the first answer to an execution that was seen not before `since`."""
        row = self._db.execute(
            "SELECT answer FROM execution WHERE id = ? AND seen_us >= ?", (execution, to_us(since))
        ).fetchone()
        return None if row is None else str(row["answer"])

    def save_execution(self, execution: str, answer: str, now: datetime) -> None:
        """Keep the first answer to an execution; forget those that nobody may repeat any more."""
        self._db.execute(
            "DELETE FROM execution WHERE seen_us < ?", (to_us(now - _KEEP_EXECUTIONS),)
        )
        self._db.execute(
            "INSERT OR REPLACE INTO execution (id, seen_us, answer) VALUES (?, ?, ?)",
            (execution, to_us(now), answer),
        )
