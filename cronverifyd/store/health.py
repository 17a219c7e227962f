"""Whether a database is whole: asked read-only, with a deadline, leaving nothing behind."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from cronverifyd.errors import StateError
from cronverifyd.store.reader import DATABASE, uri_for_reading
from cronverifyd.store.schema import STEPS

if TYPE_CHECKING:
    from pathlib import Path

KNOWN_VERSION = len(STEPS)
SQLITE = sqlite3.sqlite_version_info
_STEPS_A_LOOK = 10_000
_MOST_FAULTS = 5


def only_a_writer_can_read(state_dir: Path) -> bool:
    """Say whether a crash left a log without its index, which a reader would have to make."""
    wal, shm = state_dir / f"{DATABASE}-wal", state_dir / f"{DATABASE}-shm"
    return wal.exists() and not shm.exists()


def version(state_dir: Path) -> int:
    """Give the version of the database's schema. Raises StateError where it cannot be read."""
    try:
        with closing(_open(state_dir)) as connection:
            found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise StateError(str(error)) from error
    return found


def faults(state_dir: Path, within_s: float) -> tuple[str, ...] | None:
    """Let SQLite look for damage (PRAGMA quick_check); none is found in a whole database.

    None: it takes longer than that. Raises StateError where it cannot be read.
    """
    until = time.monotonic() + within_s
    try:
        with closing(_open(state_dir)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS_A_LOOK)
            rows = connection.execute(f"PRAGMA quick_check({_MOST_FAULTS})").fetchall()
    except sqlite3.OperationalError as error:
        if time.monotonic() > until:
            return None
        raise StateError(str(error)) from error
    except sqlite3.DatabaseError as error:
        return (str(error),)
    return tuple(row[0] for row in rows if row[0] != "ok")


def _open(state_dir: Path) -> sqlite3.Connection:
    return sqlite3.connect(uri_for_reading(state_dir / DATABASE), uri=True, timeout=1.0)
