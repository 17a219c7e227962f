"""One open file: its complete lines, the mark after them, and whether what was read still stands.

A file is the same file when device, inode and the bytes around the mark are the same: ext4 gives an
inode to the next file at once, so the inode alone says nothing.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cronverifyd.intake.owner import writer_of
from cronverifyd.intake.place import words, written_at
from cronverifyd.model import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Reader:
    """An open file and the mark up to which it was read; it owns the descriptor.

    `fault`: why it could not be read when that was last tried, a sentence's end, or None.
    """

    def __init__(self, descriptor: int, mark: Mark) -> None:
        self.mark = mark
        self.fault: str | None = None
        self._descriptor = descriptor
        self._scanned = 0
        self._size = 0
        self._offered = 0
        self._checked: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # close(2): a network file system says here that it lost something
            os.close(self._descriptor)

    def take(self, descriptor: int) -> None:
        """Read on through another descriptor of the same file."""
        self.close()
        self._descriptor = descriptor

    def lost(self) -> str | None:
        """Notice that lines are gone and say how, in a sentence's end; None if all stand.

        Where bytes that were read are gone, begin anew: what stands there now was never read.
        """
        try:
            status = os.fstat(self._descriptor)
            stands = self._stands(status)
        except OSError as error:
            self._fail(error)
            return None
        size, before = status.st_size, max(self._size, self.mark.position)
        if stands and size >= self._offered:
            return None
        self._offered = 0
        if not stands:
            self._begin_anew()
        if size < before:
            return f"was truncated from {before} to {size} bytes"
        return "was rewritten in place"

    def holds(self, mark: Mark) -> bool:
        """Say whether the bytes up to another mark stand here, too."""
        try:
            return mark.probe == probe(self._descriptor, mark.position)
        except OSError:
            return False

    def is_done(self) -> bool:
        """Say whether nothing stands after the mark; False if that cannot be told."""
        try:
            return os.fstat(self._descriptor).st_size <= self.mark.position
        except OSError:
            return False

    def is_quiet(self, now: datetime) -> bool:
        """Say whether nothing was written for a while; False if that cannot be told."""
        try:
            return now - written_at(os.fstat(self._descriptor), now) > QUIET
        except OSError:
            return False

    def blocks(self, now: datetime, *, last_chance: bool = False) -> Iterator[Block]:
        """Yield the complete lines that are new. `last_chance`: an unfinished last line too."""
        while (block := self._try_block(now, last_chance=last_chance)) is not None:
            before = self.mark.position
            self._offered = block.mark.position
            yield block
            if self.mark.position == before:
                return  # not accepted: the unit of work failed, and is tried at the next look

    def _try_block(self, now: datetime, *, last_chance: bool) -> Block | None:
        """Read on; None at the end, after an error, or when what was read is gone meanwhile."""
        try:
            block = self._next_block(now, last_chance=last_chance)
            status = os.fstat(self._descriptor)
            stands = self._stands(status)
        except OSError as error:
            self._fail(error)
            return None
        self._size = status.st_size
        self.fault = None
        if not stands:
            return None  # lines are gone: that is noticed at the next look
        if block is None:
            self.mark = replace(self.mark, looked_at=now)
        return block

    def _next_block(self, now: datetime, *, last_chance: bool) -> Block | None:
        start = self.mark.position
        data = os.pread(self._descriptor, BLOCK_BYTES, start)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == BLOCK_BYTES:
            return self._overlong_line(data[:MAX_LINE_BYTES], now, last_chance=last_chance)
        if not end and last_chance:
            end = len(data)
        if not end:
            return None
        return self._block(_split(data[:end], start), data[:end], start + end, now)

    def _overlong_line(self, head: bytes, now: datetime, *, last_chance: bool) -> Block | None:
        """Find the end of a line that is longer than a block, in bounded memory."""
        line = Line(data=head, offset=self.mark.position, cut=True)
        at = max(self._scanned, line.offset + BLOCK_BYTES)
        while chunk := os.pread(self._descriptor, BLOCK_BYTES, at):
            newline = chunk.find(b"\n")
            if newline >= 0:
                return self._block((line,), chunk[: newline + 1], at + newline + 1, now)
            at += len(chunk)
        self._scanned = at
        return self._block((line,), b"", at, now) if last_chance else None

    def _block(self, lines: tuple[Line, ...], last: bytes, position: int, now: datetime) -> Block:
        """Make a block. `last`: the bytes before the position, as far as they are at hand."""
        status = os.fstat(self._descriptor)
        earliest = self.mark.looked_at
        mark = replace(
            self.mark,
            position=position,
            probe=probe(self._descriptor, position, last),
            looked_at=now if position >= status.st_size else earliest,
            writer_uid=writer_of(self.mark.path, status),
        )
        latest = max(earliest, written_at(status, now))
        return Block(lines=lines, mark=mark, earliest=earliest, latest=latest)

    def _stands(self, status: os.stat_result) -> bool:
        """Say whether the bytes that were read are still what they were."""
        state = (status.st_size, status.st_mtime_ns)
        if state == self._checked:
            return True
        if self.mark.probe != probe(self._descriptor, self.mark.position):
            return False
        self._checked = state
        return True

    def _begin_anew(self) -> None:
        old = self.mark
        self.mark = Mark(path=old.path, device=old.device, inode=old.inode, looked_at=old.looked_at)
        self._scanned = 0
        self._checked = None

    def _fail(self, error: OSError) -> None:
        self.fault = f"cannot be read: {words(error)}"


def probe(descriptor: int, position: int, last: bytes = b"") -> bytes:
    """Hash the bytes by which a file is known again; empty for a file of which nothing was read.

    `last`: those before the position as they were read. They count and not what stands there now: a
    file that was emptied and filled between two reads must not be taken for itself. Raises OSError.
    """
    if position == 0:
        return b""
    near = min(_PROBE_BYTES, position)
    last = last[-near:]
    missing = near - len(last)
    digest = hashlib.blake2b(os.pread(descriptor, near, 0), digest_size=16)
    digest.update(os.pread(descriptor, missing, position - near) + last)
    return digest.digest()


def _split(data: bytes, offset: int) -> tuple[Line, ...]:
    # On b"\n" only: splitlines() would also cut at U+0085 and U+2028, which output may hold.
    lines: list[Line] = []
    for piece in data.split(b"\n"):
        if piece.strip():
            cut = len(piece) > MAX_LINE_BYTES
            lines.append(Line(data=piece[:MAX_LINE_BYTES], offset=offset, cut=cut))
        offset += len(piece) + 1
    return tuple(lines)
