"""Whether an SQLite database is whole (https://www.sqlite.org/fileformat2.html)."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from cronverifyd.host.streams import HOLDS_NOTHING, MOST_BYTES, Fault

if TYPE_CHECKING:
    from pathlib import Path

ENDS = (".sqlite", ".sqlite3")
MAGIC = b"SQLite format 3\0"

_HEADER_BYTES = 100
_MOST_S = 120.0
_STEPS = 100_000
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def check(header: bytes, size: int, path: Path) -> None:
    """Compare a database's length with its header and walk through its pages. Raises Fault.

    One beyond 1 GiB is not walked through. Nothing is written beside it: it is opened as a file
    that nobody changes. A collation or a module that is not known here says nothing of the file.
    """
    if len(header) < _HEADER_BYTES:
        raise Fault("is cut off within its first page")
    _check_length(header, size)
    if size > MOST_BYTES:
        return
    try:
        wrong = _walk(path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            return
        wrong = str(error)
    if wrong is not None:
        raise Fault(wrong if wrong == HOLDS_NOTHING else f"is corrupt: {_one_line(wrong)}")


def _check_length(header: bytes, size: int) -> None:
    page = int.from_bytes(header[16:18], "big")
    page = 65_536 if page == 1 else page
    if page < 512 or page & (page - 1):
        raise Fault(f"is corrupt: its pages have {page} bytes")
    pages = int.from_bytes(header[28:32], "big")
    # The count is valid only if the last writer kept it.
    if header[24:28] == header[92:96] and size < pages * page:
        raise Fault(f"is cut off: {size // page} of its {pages} pages are there")


def _walk(path: Path) -> str | None:
    """Have SQLite look at every page; give its complaint, or None."""
    uri = f"file:{quote(bytes(path))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
        database.text_factory = _text
        until = time.monotonic() + _MOST_S
        database.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
        database.execute("PRAGMA trusted_schema = OFF")
        # A row that breaks a rule of its table is no damage, and a rule may call for much work.
        database.execute("PRAGMA ignore_check_constraints = ON")
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        return str(answer)
    return None if tables else HOLDS_NOTHING


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _one_line(text: str) -> str:
    return " ".join(text.replace("*** in database main ***", "").split())
