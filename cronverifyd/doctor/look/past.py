"""The database: whether it is whole, and what the daemon has written down in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronverifyd.doctor.facts import Database, Past
from cronverifyd.errors import StateError
from cronverifyd.model import NoticeKind
from cronverifyd.store import health
from cronverifyd.store.reader import DATABASE, open_reader

if TYPE_CHECKING:
    from pathlib import Path

    from cronverifyd.store.reader import Reader

_CHECK_WITHIN_S = 3.0
_NEWEST_MESSAGES = 200


def past(state_dir: Path) -> Past:
    """Look at the database, and read from it if it is whole and of this version."""
    database = look(state_dir)
    if database.faults or database.version != database.known:
        return Past(database=database)
    try:
        with open_reader(state_dir) as reader:
            return _read(database, reader)
    except StateError:
        return Past(database=database)


def look(state_dir: Path) -> Database:
    """Look at the database, changing nothing; not even the index of its log is made."""
    path = state_dir / DATABASE
    found = Database(path=str(path), sqlite=health.SQLITE, known=health.KNOWN_VERSION)
    try:
        if not path.exists():
            return replace(found, there=False)
        if health.only_a_writer_can_read(state_dir):
            return replace(found, recovers=True)
        faults = health.faults(state_dir, _CHECK_WITHIN_S)
        version = None if faults else health.version(state_dir)
    except (OSError, StateError) as error:
        return replace(found, error=str(error))
    return replace(found, faults=faults, version=version, slow=faults is None)


def _read(database: Database, reader: Reader) -> Past:
    marks = reader.marks()
    config = (row for row in reader.outbox_rows(_NEWEST_MESSAGES) if row.kind == NoticeKind.CONFIG)
    return Past(
        database=database,
        boots=reader.boots(),
        newest=max((mark.looked_at for mark in marks), default=None),
        took=reader.last_deliveries(),
        refused=reader.last_refusals(),
        waits=reader.waiting_since(),
        beat=reader.signs().get("heartbeat"),
        config_refused_at=next((row.created_at for row in config), None),
    )
