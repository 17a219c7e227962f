"""Whether the database can be used."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from cronverifyd.doctor.finding import bad, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.doctor.facts import Database
    from cronverifyd.doctor.finding import Finding

_STRICT = (3, 37, 0)
"""SQLite's first version with STRICT tables."""


def check(found: Database) -> Iterator[Finding]:
    """Say whether SQLite is new enough, and the database whole and of this version."""
    shown = ".".join(map(str, found.sqlite))
    if found.sqlite < _STRICT:
        text = f"SQLite is {shown}; tables need 3.37 at least"
        yield bad("sqlite", text, "use a Python that is linked with a newer SQLite")
    else:
        yield ok("sqlite", f"SQLite is {shown}")
    yield _state_of(found)


def _state_of(found: Database) -> Finding:
    if not found.there:
        text = f"there is no {found.path}: nothing has been verified here yet"
        return warning("database", text, "cronverifyd check")
    if found.recovers:
        text = f"{found.path} was left by a crash: only a writer can look into it"
        return warning("database", text, "cronverifyd check")
    return _fault(found) or ok("database", _well(found))


def _fault(found: Database) -> Finding | None:
    path = quote(found.path)
    if found.error is not None:
        return bad("database", f"{found.path} cannot be read: {found.error}", f"ls -l {path}*")
    if found.faults:
        text = f"{found.path} is damaged: {'; '.join(found.faults)}"
        # What it mirrors is read again from the outcome files; the journal has the rest.
        return bad("database", text, f'for f in {path}*; do mv "$f" "$f.broken"; done')
    if found.version is not None and found.version > found.known:
        text = f"{found.path} has version {found.version}, this program knows {found.known}"
        return bad("database", text, "pip install --upgrade cronverifyd")
    return None


def _well(found: Database) -> str:
    if found.slow:
        return f"{found.path} is too large to be checked in some seconds"
    if found.version != found.known:
        return f"version {found.version} of {found.path} is brought to {found.known} at next start"
    return f"{found.path} is whole, version {found.version}"
