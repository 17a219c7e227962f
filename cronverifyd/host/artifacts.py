"""What a run has made, measured once, at its end."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, BinaryIO

from cronverifyd.host.containers import fault_of
from cronverifyd.host.streams import MOST_BYTES, Budget, Enough, read_pieces
from cronverifyd.model import Artifact, Measured, Past

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.model import ArtifactRule, Measure

_MOST_MATCHES = 100_000
_MOST_LOOKS = 3

_AFTERWARDS = timedelta(seconds=60)
"""A file that was written so much later than the run ended is taken for a later run's."""

_NO_PAST = Past()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A file that matches. `late`: it was written after the run had ended."""

    path: Path
    status: os.stat_result
    late: bool


def measure(request: Measure) -> Measured:
    """Look at what a run must have made, one artifact a rule. Never raises.

    Of each rule's matches the newest counts that was not written after the run's end. If all were,
    and a later run has ended as well, nobody can say any more what this one had made.
    """
    artifacts = tuple(_measured(rule, request) for rule in request.rules)
    return Measured(job=request.run.job, run=request.run.run, artifacts=artifacts)


def _measured(rule: ArtifactRule, request: Measure) -> Artifact:
    """Look until a file is the same before and after, but not for ever."""
    try:
        for _ in range(_MOST_LOOKS):
            found = _newest(rule.path, request.run.ended_at)
            artifact = _examined(rule, found, request)
            if found is None or artifact.replaced or _is_unchanged(found):
                break
    except OSError as error:
        where = f"{_text(Path(error.filename))}: " if error.filename else ""
        fault = f"could not be looked at: {where}{error.strerror or error}"
        return Artifact(rule=rule.path, fault=fault)
    except (ValueError, OverflowError) as error:  # a path with NUL, a time beyond the year 9999
        return Artifact(rule=rule.path, fault=f"could not be looked at: {error}")
    return artifact


# ---- Which file ----------------------------------------------------------------------------------


def _newest(pattern: str, ended_at: datetime | None) -> _Found | None:
    """Find the newest match, one that is not late if there is any. Raises OSError."""
    latest = None if ended_at is None else (ended_at + _AFTERWARDS).timestamp()
    best = max(_matches(pattern, latest), key=_rank, default=None)
    if best is None:
        _check_folder(pattern)
    return best


def _rank(found: _Found) -> tuple[bool, int, str]:
    return not found.late, found.status.st_mtime_ns, str(found.path)


def _matches(pattern: str, latest: float | None) -> Iterator[_Found]:
    names = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
    for name in islice(names, _MOST_MATCHES):
        path = Path(name)
        try:
            status = path.stat()
        except OSError:
            continue  # such as one that was deleted, or a link that leads nowhere
        if stat.S_ISREG(status.st_mode):
            late = latest is not None and status.st_mtime > latest
            yield _Found(path=path, status=status, late=late)


def _check_folder(pattern: str) -> None:
    """Raise OSError if nothing matches because nothing can be seen: glob does not say so."""
    folder = Path(pattern).parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    try:
        if glob.has_magic(pattern):
            os.scandir(f"{folder}/.").close()  # the dot asks for the right to look at its files
        else:
            Path(pattern).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # then there is indeed no such file


# ---- What it is ----------------------------------------------------------------------------------


def _examined(rule: ArtifactRule, found: _Found | None, request: Measure) -> Artifact:
    if found is None:
        return Artifact(rule=rule.path)
    if found.late and request.superseded:
        return Artifact(rule=rule.path, found=_text(found.path), replaced=True)
    past = request.past.get(rule.path, _NO_PAST)
    artifact = Artifact(
        rule=rule.path,
        found=_text(found.path),
        size=found.status.st_size,
        modified_at=datetime.fromtimestamp(found.status.st_mtime, UTC),
        usual_size=median(past.sizes) if past.sizes else None,
    )
    return _with_contents(artifact, rule, found, past)


def _with_contents(artifact: Artifact, rule: ArtifactRule, found: _Found, past: Past) -> Artifact:
    """Read the file, if the rule asks for it."""
    if not (rule.changed or rule.opens):
        return artifact
    try:
        with _opened(found.path) as file:
            digest = _digest(file) if rule.changed else None
            file.seek(0)
            fault = fault_of(file, found.path) if rule.opens and artifact.size else None
    except OSError as error:
        return replace(artifact, fault=f"cannot be read: {error.strerror or error}")
    same = None if digest is None or past.digest is None else digest == past.digest
    return replace(artifact, digest=digest, same_as_last=same, fault=fault)


def _opened(path: Path) -> BinaryIO:
    """Open a file without waiting: should it be a pipe by now, nobody may ever write to it."""
    return open(path, "rb", opener=_without_waiting)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _digest(file: BinaryIO, most: int = MOST_BYTES) -> str:
    """Hash the beginning of a file, which is nearly always all of it, and its length."""
    size = os.fstat(file.fileno()).st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    try:
        for piece in read_pieces(file, Budget(most)):
            digest.update(piece)
    except Enough:
        pass
    return digest.hexdigest()


def _is_unchanged(found: _Found) -> bool:
    """Say whether the file is still the one, and as long and as old, as before it was read."""
    try:
        now = found.path.stat()
    except OSError:
        return False
    before = found.status
    same_file = (now.st_dev, now.st_ino) == (before.st_dev, before.st_ino)
    return same_file and (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def _text(path: Path) -> str:
    """Show a path as text; names of files are bytes, and not always UTF-8."""
    return os.fsencode(path).decode(errors="replace")
