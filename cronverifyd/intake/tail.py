"""Complete lines of files that grow, are rotated by rename, or are replaced.

A file is the same file when device, inode and the bytes around the mark are the same: ext4 gives an
inode to the next file at once, so the inode alone says nothing. A file that fails the test is read
from its beginning; there is no way to begin at the end.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.model import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_LINE_BYTES = 64 * 1024
BLOCK_BYTES = 1024 * 1024
QUIET = timedelta(minutes=10)
"""A renamed file is let go when nothing was written to it for so long."""

_PROBE_BYTES = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line without its newline, and where it begins. `cut`: only the first 64 KiB of it."""

    data: bytes
    offset: int
    cut: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Some complete lines of one file, and the mark after them, to be kept with their rows.

    `earliest`, `latest`: between these, lines that bear no time were written.
    """

    lines: tuple[Line, ...]
    mark: Mark
    earliest: datetime
    latest: datetime


class Tail:
    """Read what is new in a list of files and globs. `marks`: where an earlier process stopped."""

    def __init__(self, patterns: Sequence[str], marks: Iterable[Mark]) -> None:
        self._patterns = tuple(patterns)
        self._marks = {m.key: m for m in marks}
        self._current: dict[str, _Reader] = {}
        self._leaving: dict[tuple[int, int], _Reader] = {}
        self._looked_at: datetime | None = None

    def look(self, now: datetime) -> None:
        """Open what is new; notice what was renamed or rewritten."""
        for path in [p for p, r in self._current.items() if not r.is_at(p)]:
            self._leave(path)
        for path in self._paths():
            self._look_at(path, now)
        if self._looked_at is None:
            self._find_renamed()
        self._let_go(now)
        self._looked_at = now

    def blocks(self, now: datetime) -> Iterator[Block]:
        """Yield what is new, each block to be accepted before the next is asked for."""
        for reader in list(self._leaving.values()):
            yield from reader.blocks(now, last_chance=reader.is_quiet(now))
        for reader in list(self._current.values()):
            yield from reader.blocks(now)

    def accept(self, mark: Mark) -> None:
        """Go on after this mark: it has been kept, and the rows before it."""
        for reader in self._readers():
            if reader.mark.key == mark.key:
                reader.mark = mark

    def marks(self) -> list[Mark]:
        """Return the marks of the open files of which something was kept, with the last look."""
        return [reader.mark for reader in self._readers() if reader.mark.file_id is not None]

    def folders(self) -> set[Path]:
        """Name the existing folders in which outcome files are or may appear."""
        parents = [str(Path(pattern).parent) for pattern in self._patterns]
        found = {Path(folder) for parent in parents for folder in glob.glob(parent)}
        return {folder for folder in found if folder.is_dir()}

    def close(self) -> None:
        """Close all files."""
        for reader in self._readers():
            reader.close()
        self._leaving.clear()
        self._current.clear()

    def _readers(self) -> list[_Reader]:
        """Return the readers of all open files; those that were renamed, the older ones, first."""
        return [*self._leaving.values(), *self._current.values()]

    def _paths(self) -> list[str]:
        found: list[str] = []
        for pattern in self._patterns:
            found.extend(sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern])
        return list(dict.fromkeys(found))

    def _look_at(self, path: str, now: datetime) -> None:
        reader = self._current.get(path)
        if reader is not None and reader.is_at(path):
            if not reader.was_rewritten():
                return
            self._current.pop(path).close()
            self._marks[reader.mark.key] = reader.mark
        self._leave(path)
        opened = _open_regular(path)
        if opened is None:
            return
        descriptor, status = opened
        key = status.st_dev, status.st_ino
        if self._is_read(key):
            os.close(descriptor)
            if (renamed := self._leaving.pop(key, None)) is not None:
                self._current[path] = renamed
        else:
            mark = self._mark_for(path, descriptor, status, now)
            self._current[path] = _Reader(descriptor, mark)

    def _is_read(self, key: tuple[int, int]) -> bool:
        """Say whether a file is open already: under an older name, or under a second one."""
        return key in self._leaving or any(r.mark.key == key for r in self._current.values())

    def _leave(self, path: str) -> None:
        """Follow a file that its path no longer leads to: a writer may still have it open."""
        if (reader := self._current.pop(path, None)) is not None:
            self._leaving[reader.mark.key] = reader

    def _mark_for(self, path: str, descriptor: int, status: os.stat_result, now: datetime) -> Mark:
        known = self._marks.pop((status.st_dev, status.st_ino), None)
        if known is not None and known.probe == _probe(descriptor, known.position):
            return replace(known, path=path)
        # What stands in another file than the one at the last look was written after that look.
        looks = [m.looked_at for m in (*self._marks.values(), known) if m and m.path == path]
        looks += [self._looked_at] if self._looked_at else []
        since = max(looks, default=_mtime(status, now))
        return Mark(path=path, device=status.st_dev, inode=status.st_ino, looked_at=since)

    def _find_renamed(self) -> None:
        """Open, once, files that were renamed within their folder while nobody looked."""
        for mark in list(self._marks.values()):
            for path in _names_of(mark):
                if self._resume_renamed(path, mark):
                    break

    def _resume_renamed(self, path: str, mark: Mark) -> bool:
        if (opened := _open_regular(path)) is None:
            return False
        descriptor, status = opened
        same = (status.st_dev, status.st_ino) == mark.key
        if same and mark.probe == _probe(descriptor, mark.position):
            self._leaving[mark.key] = _Reader(descriptor, self._marks.pop(mark.key))
            return True
        os.close(descriptor)
        return False

    def _let_go(self, now: datetime) -> None:
        """Close what is over; its mark is kept, for it may be put back."""
        for key, reader in list(self._leaving.items()):
            if reader.is_done() and reader.is_quiet(now):
                self._leaving.pop(key).close()
                self._marks[key] = reader.mark


class _Reader:
    """One open file and the mark up to which it was read."""

    def __init__(self, descriptor: int, mark: Mark) -> None:
        self.mark = mark
        self._descriptor = descriptor
        self._scanned = 0
        self._checked: tuple[int, int] | None = None

    def close(self) -> None:
        os.close(self._descriptor)

    def is_at(self, path: str) -> bool:
        """Say whether the path still leads to this file."""
        try:
            status = os.stat(path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.mark.key

    def was_rewritten(self) -> bool:
        """Say whether the bytes that were read are gone (truncated, or replaced in place)."""
        status = os.fstat(self._descriptor)
        state = (status.st_size, status.st_mtime_ns)
        if state == self._checked:
            return False
        if self.mark.probe != _probe(self._descriptor, self.mark.position):
            return True
        self._checked = state
        return False

    def is_done(self) -> bool:
        return os.fstat(self._descriptor).st_size <= self.mark.position

    def is_quiet(self, now: datetime) -> bool:
        return now - _mtime(os.fstat(self._descriptor), now) > QUIET

    def blocks(self, now: datetime, *, last_chance: bool = False) -> Iterator[Block]:
        """Yield the complete lines that are new. `last_chance`: an unfinished last line too."""
        while (block := self._next_block(now, last_chance=last_chance)) is not None:
            before = self.mark.position
            yield block
            if self.mark.position == before:
                return  # not accepted: the unit of work failed, and is tried at the next look

    def _next_block(self, now: datetime, *, last_chance: bool) -> Block | None:
        start = self.mark.position
        data = os.pread(self._descriptor, BLOCK_BYTES, start)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == BLOCK_BYTES:
            return self._overlong_line(data[:MAX_LINE_BYTES], now, last_chance=last_chance)
        if not end and last_chance:
            end = len(data)
        if not end:
            self.mark = replace(self.mark, looked_at=now)
            return None
        return self._block(_split(data[:end], start), start + end, now)

    def _overlong_line(self, head: bytes, now: datetime, *, last_chance: bool) -> Block | None:
        """Find the end of a line that is longer than a block, in bounded memory."""
        line = Line(data=head, offset=self.mark.position, cut=True)
        at = max(self._scanned, line.offset + BLOCK_BYTES)
        while chunk := os.pread(self._descriptor, BLOCK_BYTES, at):
            newline = chunk.find(b"\n")
            if newline >= 0:
                return self._block((line,), at + newline + 1, now)
            at += len(chunk)
        self._scanned = at
        return self._block((line,), at, now) if last_chance else None

    def _block(self, lines: tuple[Line, ...], position: int, now: datetime) -> Block:
        status = os.fstat(self._descriptor)
        earliest = self.mark.looked_at
        mark = replace(
            self.mark,
            position=position,
            probe=_probe(self._descriptor, position),
            looked_at=now if position >= status.st_size else earliest,
        )
        latest = max(earliest, _mtime(status, now))
        return Block(lines=lines, mark=mark, earliest=earliest, latest=latest)


def _names_of(mark: Mark) -> Iterator[str]:
    """Name what has the mark's inode in the folder where its file was."""
    folder = os.path.dirname(mark.path)
    try:
        with os.scandir(folder or ".") as entries:
            yield from [os.path.join(folder, e.name) for e in entries if e.inode() == mark.inode]
    except OSError:
        return


def _split(data: bytes, offset: int) -> tuple[Line, ...]:
    # On b"\n" only: splitlines() would also cut at U+0085 and U+2028, which output may hold.
    lines: list[Line] = []
    for piece in data.split(b"\n"):
        if piece.strip():
            cut = len(piece) > MAX_LINE_BYTES
            lines.append(Line(data=piece[:MAX_LINE_BYTES], offset=offset, cut=cut))
        offset += len(piece) + 1
    return tuple(lines)


def _open_regular(path: str) -> tuple[int, os.stat_result] | None:
    """Open a regular file for reading; None for what is absent, unreadable or something else."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status
    os.close(descriptor)
    return None


def _probe(descriptor: int, position: int) -> bytes:
    """Hash the bytes by which a file is known again; empty for a file of which nothing was read."""
    if position == 0:
        return b""
    near = min(_PROBE_BYTES, position)
    digest = hashlib.blake2b(os.pread(descriptor, near, 0), digest_size=16)
    digest.update(os.pread(descriptor, near, position - near))
    return digest.digest()


def _mtime(status: os.stat_result, now: datetime) -> datetime:
    """Say when a file was last written, but never later than now."""
    return min(now, datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC))
