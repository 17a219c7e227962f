"""The database's shape: ordered steps, appended and never edited.

Tables hold instants as whole microseconds since 1970 UTC (`…_us`); the views for people and other
programs show them as RFC 3339 text. Each step and its number are committed together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.errors import StateError

if TYPE_CHECKING:
    import sqlite3

_STEP_1 = (
    # How far each outcome file was read. A file_id is never used again: ids of runs without one of
    # their own are made of it.
    """
    CREATE TABLE file (
        file_id INTEGER PRIMARY KEY AUTOINCREMENT,
        path TEXT NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        position INTEGER NOT NULL,
        probe BLOB NOT NULL,
        looked_us INTEGER NOT NULL,
        rejected INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE UNIQUE INDEX file_inode ON file (device, inode)",
    "CREATE TABLE counter (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    # Since when a job is owed, and the newest slot that was looked at for its own sake.
    """
    CREATE TABLE job (
        name TEXT PRIMARY KEY,
        schedule TEXT NOT NULL,
        timezone TEXT NOT NULL,
        owed_since_us INTEGER NOT NULL,
        cursor_us INTEGER NOT NULL,
        active INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE run (
        run_rowid INTEGER PRIMARY KEY,
        run TEXT NOT NULL,
        job TEXT NOT NULL,
        slot_us INTEGER NOT NULL,
        started_us INTEGER,
        ended_us INTEGER,
        untimed_since_us INTEGER,
        slot_hint_us INTEGER,
        run_date TEXT,
        status TEXT,
        exit_code INTEGER,
        signal TEXT,
        error TEXT,
        duration_s REAL,
        cpu_s REAL,
        max_rss_kb REAL,
        metrics TEXT,
        output_tail TEXT,
        output_bytes INTEGER,
        output_lines INTEGER,
        host TEXT,
        user TEXT,
        uid INTEGER,
        pid INTEGER,
        pid_start INTEGER,
        wrapper_pid INTEGER,
        boot TEXT,
        command TEXT,
        extra TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX run_id ON run (run, job)",
    # (slot, job) and not (job, slot): inserts then go to the end of the index.
    "CREATE INDEX run_slot ON run (slot_us, job)",
    "CREATE INDEX run_open ON run (job, started_us) WHERE ended_us IS NULL",
    """
    CREATE TABLE slot (
        job TEXT NOT NULL,
        slot_us INTEGER NOT NULL,
        slot TEXT NOT NULL,
        deadline_us INTEGER NOT NULL,
        owed INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        until_us INTEGER,
        run TEXT,
        decided_us INTEGER NOT NULL,
        found_late INTEGER NOT NULL,
        triggered_by TEXT NOT NULL,
        PRIMARY KEY (job, slot_us)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX slot_until ON slot (until_us) WHERE until_us IS NOT NULL",
    """
    CREATE TABLE incident (
        id TEXT PRIMARY KEY,
        job TEXT NOT NULL,
        opened_us INTEGER NOT NULL,
        first_slot_us INTEGER NOT NULL,
        last_bad_slot_us INTEGER NOT NULL,
        slots INTEGER NOT NULL,
        announced INTEGER NOT NULL,
        closed_us INTEGER,
        close_reason TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX incident_open ON incident (job) WHERE closed_us IS NULL",
    """
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        incident TEXT,
        job TEXT,
        kind TEXT NOT NULL,
        channel TEXT NOT NULL,
        state TEXT NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        created_us INTEGER NOT NULL,
        next_try_us INTEGER,
        sent_us INTEGER,
        receipt TEXT,
        error TEXT,
        message TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX outbox_waiting ON outbox (channel, seq) WHERE next_try_us IS NOT NULL",
    "CREATE INDEX outbox_incident ON outbox (incident)",
    # What waits before a row of the same job: without it, a long queue costs its length squared.
    "CREATE INDEX outbox_first ON outbox (channel, job, seq) WHERE next_try_us IS NOT NULL",
    """
    CREATE TABLE execution (
        id TEXT PRIMARY KEY,
        seen_us INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE VIEW slots AS
    SELECT job, slot, strftime('%Y-%m-%dT%H:%M:%fZ', deadline_us / 1e6, 'unixepoch') AS deadline,
           verdict, reason, run, owed,
           strftime('%Y-%m-%dT%H:%M:%fZ', decided_us / 1e6, 'unixepoch') AS decided_at,
           found_late, triggered_by
    FROM slot
    """,
    """
    CREATE VIEW runs AS
    SELECT run, job,
           (SELECT slot.slot FROM slot WHERE slot.job = run.job AND slot.slot_us = run.slot_us)
               AS slot,
           strftime('%Y-%m-%dT%H:%M:%fZ', started_us / 1e6, 'unixepoch') AS started_at,
           strftime('%Y-%m-%dT%H:%M:%fZ', ended_us / 1e6, 'unixepoch') AS ended_at,
           status, exit_code, signal, error, duration_s, cpu_s, max_rss_kb, metrics, output_tail,
           output_bytes, output_lines, host, user, uid, pid, boot, command, extra
    FROM run
    """,
    """
    CREATE VIEW incidents AS
    SELECT id, job, strftime('%Y-%m-%dT%H:%M:%fZ', opened_us / 1e6, 'unixepoch') AS since,
           strftime('%Y-%m-%dT%H:%M:%fZ', first_slot_us / 1e6, 'unixepoch') AS first_slot,
           strftime('%Y-%m-%dT%H:%M:%fZ', last_bad_slot_us / 1e6, 'unixepoch') AS last_bad_slot,
           slots, announced,
           strftime('%Y-%m-%dT%H:%M:%fZ', closed_us / 1e6, 'unixepoch') AS closed_at,
           close_reason
    FROM incident
    """,
    """
    CREATE VIEW alerts AS
    SELECT id, incident, job, kind, channel, state, tries,
           strftime('%Y-%m-%dT%H:%M:%fZ', next_try_us / 1e6, 'unixepoch') AS next_try,
           strftime('%Y-%m-%dT%H:%M:%fZ', sent_us / 1e6, 'unixepoch') AS sent_at,
           error
    FROM outbox
    """,
    # A row a slot, with its deciding run, in the columns of the tutorial's table of that name.
    """
    CREATE VIEW cron_outcomes AS
    SELECT coalesce(run.run_rowid, 0) AS id, slot.job AS job_name,
           substr(slot.slot, 1, 10) AS run_date,
           strftime('%Y-%m-%dT%H:%M:%fZ', run.ended_us / 1e6, 'unixepoch') AS completed_at,
           coalesce(run.status, slot.verdict) AS status,
           run.error AS error_message
    FROM slot LEFT JOIN run ON run.run = slot.run AND run.job = slot.job
    """,
)

_STEP_2 = (
    # A file that was renamed, read to its end and let go: nothing is lost when it goes.
    "ALTER TABLE file ADD COLUMN over INTEGER NOT NULL DEFAULT 0",
    # Of the files that bore a name before the one that bears it now, nobody knows more.
    "UPDATE file SET over = 1 WHERE file_id NOT IN (SELECT max(file_id) FROM file GROUP BY path)",
    "ALTER TABLE run ADD COLUMN lost_us INTEGER",
    "ALTER TABLE run ADD COLUMN loss TEXT",
    "ALTER TABLE run ADD COLUMN artifacts TEXT",
    "ALTER TABLE slot ADD COLUMN starts INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE slot ADD COLUMN incident TEXT",
    "ALTER TABLE slot ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE slot SET incident = (
        SELECT id FROM incident WHERE incident.job = slot.job
        AND slot.slot_us BETWEEN first_slot_us AND last_bad_slot_us
        ORDER BY opened_us DESC LIMIT 1
    ) WHERE verdict IN ('missed', 'failed', 'overrun', 'unmet')
    """,
    "CREATE INDEX slot_unknown ON slot (job, slot_us) WHERE verdict = 'unknown'",
    # The slots of all jobs at one instant that need nothing more: one look for 10,000 jobs. The
    # verdict stands in it, for SQLite would look it up in the table in spite of the condition.
    "CREATE INDEX slot_settled ON slot (slot_us, job, verdict) WHERE verdict IN ('ok', 'late')",
    # The runs whose process can be looked for.
    """
    CREATE INDEX run_alive ON run (boot)
    WHERE ended_us IS NULL AND lost_us IS NULL AND pid IS NOT NULL
    """,
    "CREATE INDEX run_unmeasured ON run (run) WHERE artifacts = '[]'",
    # The boots of this host that were seen.
    "CREATE TABLE boot (id TEXT PRIMARY KEY, booted_us INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    # Which files each job's lines came from.
    """
    CREATE TABLE writer (
        job TEXT NOT NULL,
        path TEXT NOT NULL,
        PRIMARY KEY (job, path)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE hole (
        hole_id INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        since_us INTEGER NOT NULL,
        until_us INTEGER,
        reason TEXT NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX hole_open ON hole (path) WHERE until_us IS NULL",
    """
    CREATE TABLE finding (
        job TEXT NOT NULL,
        kind TEXT NOT NULL,
        run TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        noted_us INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (job, kind, run)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX finding_noted ON finding (noted_us)",
    "DROP VIEW slots",
    """
    CREATE VIEW slots AS
    SELECT job, slot, strftime('%Y-%m-%dT%H:%M:%fZ', deadline_us / 1e6, 'unixepoch') AS deadline,
           verdict, reason, run, owed, starts, quiet, incident,
           strftime('%Y-%m-%dT%H:%M:%fZ', decided_us / 1e6, 'unixepoch') AS decided_at,
           found_late, triggered_by
    FROM slot
    """,
    "DROP VIEW runs",
    """
    CREATE VIEW runs AS
    SELECT run, job,
           (SELECT slot.slot FROM slot WHERE slot.job = run.job AND slot.slot_us = run.slot_us)
               AS slot,
           strftime('%Y-%m-%dT%H:%M:%fZ', started_us / 1e6, 'unixepoch') AS started_at,
           strftime('%Y-%m-%dT%H:%M:%fZ', ended_us / 1e6, 'unixepoch') AS ended_at,
           status, exit_code, signal, error, duration_s, cpu_s, max_rss_kb, metrics, output_tail,
           output_bytes, output_lines, host, user, uid, pid, boot, command, extra,
           strftime('%Y-%m-%dT%H:%M:%fZ', lost_us / 1e6, 'unixepoch') AS lost_at, loss, artifacts
    FROM run
    """,
    """
    CREATE VIEW findings AS
    SELECT job, kind, run, strftime('%Y-%m-%dT%H:%M:%fZ', at_us / 1e6, 'unixepoch') AS at, text
    FROM finding
    """,
)

_STEP_3 = (
    # Refused together with others: it is tried alone, for one of them may be at fault.
    "ALTER TABLE outbox ADD COLUMN alone INTEGER NOT NULL DEFAULT 0",
    # A second channel was told in its place.
    "ALTER TABLE outbox ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX outbox_first",
    "ALTER TABLE incident ADD COLUMN flapping INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE incident ADD COLUMN reminders INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX incident_job ON incident (job, first_slot_us)",
    "CREATE INDEX outbox_unreached ON outbox (state, seq) WHERE escalated = 0 AND state <> 'sent'",
)

_STEP_4 = (
    "ALTER TABLE incident ADD COLUMN acked_us INTEGER",
    "ALTER TABLE incident ADD COLUMN cause TEXT",
    "ALTER TABLE incident ADD COLUMN because TEXT",
    "ALTER TABLE outbox ADD COLUMN cause TEXT",
    "CREATE INDEX outbox_cause ON outbox (cause, channel) WHERE cause IS NOT NULL",
    "CREATE INDEX outbox_muted ON outbox (seq) WHERE state = 'muted'",
    "CREATE INDEX outbox_dead ON outbox (channel, created_us) WHERE state = 'dead'",
    "CREATE INDEX outbox_waits ON outbox (channel, created_us) WHERE next_try_us IS NOT NULL",
    "CREATE INDEX outbox_sent ON outbox (channel, sent_us) WHERE sent_us IS NOT NULL",
    # `job` '': everything is muted.
    """
    CREATE TABLE mute (
        job TEXT PRIMARY KEY,
        since_us INTEGER NOT NULL,
        until_us INTEGER NOT NULL,
        who TEXT NOT NULL,
        reason TEXT NOT NULL,
        swallowed INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID
    """,
    # Runs of the drill's job that somebody has announced.
    """
    CREATE TABLE drill (
        run TEXT PRIMARY KEY,
        asked_us INTEGER NOT NULL,
        quiet INTEGER NOT NULL,
        seen_us INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    # When each link of the chain was last seen to hold, and what it said then.
    """
    CREATE TABLE sign (
        link TEXT PRIMARY KEY,
        at_us INTEGER NOT NULL,
        text TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "DROP VIEW incidents",
    """
    CREATE VIEW incidents AS
    SELECT id, job, strftime('%Y-%m-%dT%H:%M:%fZ', opened_us / 1e6, 'unixepoch') AS since,
           strftime('%Y-%m-%dT%H:%M:%fZ', first_slot_us / 1e6, 'unixepoch') AS first_slot,
           strftime('%Y-%m-%dT%H:%M:%fZ', last_bad_slot_us / 1e6, 'unixepoch') AS last_bad_slot,
           slots, announced, flapping, acked_us IS NOT NULL AS acked,
           strftime('%Y-%m-%dT%H:%M:%fZ', acked_us / 1e6, 'unixepoch') AS acked_at,
           because AS cause,
           strftime('%Y-%m-%dT%H:%M:%fZ', closed_us / 1e6, 'unixepoch') AS closed_at,
           close_reason
    FROM incident
    """,
)

_STEP_5 = (
    # When CueAPI last triggered each job by name.
    """
    CREATE TABLE trigger_seen (job TEXT PRIMARY KEY, at_us INTEGER NOT NULL) STRICT, WITHOUT ROWID
    """,
    # What CueAPI is to be told of its executions; a row goes when that is done, or given up.
    """
    CREATE TABLE report (
        execution TEXT PRIMARY KEY,
        answer TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        next_try_us INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX report_next ON report (next_try_us)",
)

_STEP_6 = (
    # Whose file it is, as the kernel says; NULL: others may write it as well.
    "ALTER TABLE file ADD COLUMN writer_uid INTEGER",
    "ALTER TABLE hole ADD COLUMN writer_uid INTEGER",
    "ALTER TABLE run ADD COLUMN writer_uid INTEGER",
    "ALTER TABLE run ADD COLUMN spoofed INTEGER NOT NULL DEFAULT 0",
    # Spoofed runs stand in an index of their own: a flood of them slows no verdict down.
    "DROP INDEX run_slot",
    "CREATE INDEX run_slot ON run (slot_us, job) WHERE spoofed = 0",
    "CREATE INDEX run_spoofed ON run (slot_us, job) WHERE spoofed = 1",
    "DROP INDEX run_open",
    "CREATE INDEX run_open ON run (job, started_us) WHERE ended_us IS NULL AND spoofed = 0",
    "DROP INDEX run_alive",
    """
    CREATE INDEX run_alive ON run (boot)
    WHERE ended_us IS NULL AND lost_us IS NULL AND pid IS NOT NULL AND spoofed = 0
    """,
    "DROP VIEW runs",
    """
    CREATE VIEW runs AS
    SELECT run, job,
           (SELECT slot.slot FROM slot WHERE slot.job = run.job AND slot.slot_us = run.slot_us)
               AS slot,
           strftime('%Y-%m-%dT%H:%M:%fZ', started_us / 1e6, 'unixepoch') AS started_at,
           strftime('%Y-%m-%dT%H:%M:%fZ', ended_us / 1e6, 'unixepoch') AS ended_at,
           status, exit_code, signal, error, duration_s, cpu_s, max_rss_kb, metrics, output_tail,
           output_bytes, output_lines, host, user, uid, pid, boot, command, extra,
           strftime('%Y-%m-%dT%H:%M:%fZ', lost_us / 1e6, 'unixepoch') AS lost_at, loss, artifacts,
           writer_uid, spoofed
    FROM run
    """,
)

STEPS: tuple[tuple[str, ...], ...] = (_STEP_1, _STEP_2, _STEP_3, _STEP_4, _STEP_5, _STEP_6)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest shape, one transaction a step.

    Raises StateError for a database that a newer version has written.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(STEPS):
        message = f"the database has version {version}, this program knows {len(STEPS)}"
        raise StateError(message, remedy="install the newer cronverifyd again")
    for number in range(version, len(STEPS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in STEPS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
