"""Which files are read: those of a list of paths and globs, and what became of each of them.

A file that is renamed is read on until it is quiet. One that is not known again is read from its
beginning; there is no way to begin at the end. What cannot be read, and what is gone unread, is
said: silence must never mean that nobody could look.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from cronverifyd.intake.holes import Holes
from cronverifyd.intake.patterns import Patterns
from cronverifyd.intake.place import Place, look_up, open_file, words, written_at
from cronverifyd.intake.reader import Reader
from cronverifyd.intake.search import (
    how_gone,
    is_out_of_sight,
    names_of,
    reopen,
    rotated,
    search,
)
from cronverifyd.intake.shelf import Shelf
from cronverifyd.model import Hole, Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cronverifyd.intake.reader import Block


class Tail:
    """Read what is new in a list of files and globs. `marks`: where an earlier process stopped.

    A file is open under its path, or open and leaving (it was renamed or removed); or it is not
    open, and its mark is on the shelf.
    """

    def __init__(self, patterns: Sequence[str], marks: Iterable[Mark]) -> None:
        self._patterns = Patterns(patterns)
        self._current: dict[str, Reader] = {}
        self._leaving: dict[tuple[int, int], Reader] = {}
        self._shelf = Shelf(marks)
        self._looks = self._shelf.looks()
        self._holes = Holes()
        self._looked_at: datetime | None = None

    def look(self, now: datetime) -> None:
        """Open what is new; notice what was renamed, rewritten, lost, or cannot be read."""
        is_first = self._looked_at is None
        stored = self._shelf.over | self._shelf.missing if is_first else {}
        self._holes.begin(self.unreadable())
        for path, reader in list(self._current.items()):
            self._revisit(path, reader, now)
        for reader in list(self._leaving.values()):
            self._follow(reader, now)
        self._open_new(now)
        for mark in list(self._shelf.missing.values()):
            self._find(mark, now)
        for path in dict.fromkeys(mark.path for mark in stored.values()):
            self._find_rotated(path, stored, now)
        self._let_go(now)
        self._holes.end(now)
        self._looked_at = now

    def blocks(self, now: datetime) -> Iterator[Block]:
        """Yield what is new, each block to be accepted before the next is asked for.

        Losses that `look` found are to be kept before: the marks of these blocks take the place of
        those from which the next process would find them. A file that fails to be read ends there.
        """
        for reader in list(self._leaving.values()):
            yield from reader.blocks(now, last_chance=reader.is_quiet(now))
        for reader in list(self._current.values()):
            yield from reader.blocks(now)

    def accept(self, mark: Mark) -> None:
        """Go on after this mark: it has been kept, and the rows before it."""
        if self._shelf.accept(mark):
            return
        for reader in self._readers():
            if reader.mark.key == mark.key:
                reader.mark = mark

    def marks(self) -> list[Mark]:
        """Return the marks of the open files of which something was kept, with the last look.

        Those of files that came to be over are among them until they are accepted: the next process
        takes for lost what it finds neither over nor anywhere else.
        """
        opened = [reader.mark for reader in self._readers() if reader.mark.file_id is not None]
        return [*self._shelf.unkept(), *opened]

    def unreadable(self) -> dict[str, Hole]:
        """Return what cannot be read as of the last look and its blocks, by path or glob."""
        holes = dict(self._holes.lasting)
        for reader in self._readers():
            if reader.fault is not None:
                path, since = reader.mark.path, reader.mark.looked_at
                uid = reader.mark.writer_uid
                hole = Hole(path=path, since=since, reason=reader.fault, writer_uid=uid)
                holes[path] = min(holes.get(path, hole), hole, key=lambda each: each.since)
        return holes

    def losses(self) -> list[Hole]:
        """Return what `look` found to be lost for good, until it is forgotten.

        To be kept in one transaction with `marks`, or the next process finds it once more.
        """
        return self._holes.losses()

    def has_news(self) -> bool:
        """Say whether losses, or marks of files that came to be over, wait to be kept."""
        return bool(self._holes.losses() or self._shelf.unkept())

    def forget_losses(self, losses: Iterable[Hole]) -> None:
        """Forget these losses: they have been kept."""
        self._holes.forget(losses)

    def folders(self) -> set[Path]:
        """Name the existing folders in which outcome files are or may appear."""
        return self._patterns.folders()

    def close(self) -> None:
        """Close all files."""
        for reader in self._readers():
            reader.close()
        self._leaving.clear()
        self._current.clear()

    def _readers(self) -> list[Reader]:
        """Return the readers of all open files; those that were renamed, the older ones, first."""
        return [*self._leaving.values(), *self._current.values()]

    # ---- files that are open ----------------------------------------------------------------

    def _revisit(self, path: str, reader: Reader, now: datetime) -> None:
        """See whether a path still leads to its file, and whether what was read still stands."""
        place = look_up(path)
        if place is None or place.key not in {None, reader.mark.key}:
            # A writer may still have it open.
            self._leaving[reader.mark.key] = self._current.pop(path)
            return
        if place.reason is not None:
            self._holes.note(path, place, reader.mark.looked_at)
        self._check(reader, now)
        if reader.fault is not None:
            reopen(reader, [path])

    def _follow(self, reader: Reader, now: datetime) -> None:
        """See after a file that left its path; one without a name that cannot be read is lost."""
        self._check(reader, now)
        if reader.fault is None:
            return
        try:
            found = reopen(reader, names_of(reader.mark))
        except OSError:
            return
        if not found:
            mark = reader.mark
            self._lose(mark, f"was removed and {reader.fault}", now)
            self._end(reader)

    def _check(self, reader: Reader, now: datetime) -> None:
        before = reader.mark
        how = reader.lost()
        if how is None:
            return
        self._lose(before, how, now)
        if reader.mark.file_id != before.file_id:
            self._shelf.finish(before)

    def _lose(self, mark: Mark, how: str, now: datetime) -> None:
        self._holes.lose(mark.path, mark.looked_at, how, now, mark.writer_uid)

    def _let_go(self, now: datetime) -> None:
        """Close what left its path, was read to its end, and is quiet.

        A file without a name is over as soon as it was read to its end, for the next process cannot
        find it; it is read on all the same.
        """
        for reader in [each for each in self._leaving.values() if each.is_done()]:
            if reader.is_quiet(now):
                self._end(reader)
            elif not reader.mark.over and is_out_of_sight(reader.mark):
                reader.mark = self._shelf.finish(reader.mark)

    def _end(self, reader: Reader) -> None:
        """Close a file that is leaving; its mark is kept, for it may be put back."""
        del self._leaving[reader.mark.key]
        reader.close()
        self._shelf.put(reader.mark)

    # ---- files to be opened -----------------------------------------------------------------

    def _open_new(self, now: datetime) -> None:
        for path in self._patterns.paths():
            if path not in self._current:
                self._open(path, now)
        for pattern, place in self._patterns.obstacles():
            missing = self._shelf.missing.values()
            looks = [m.looked_at for m in missing if pattern in self._patterns.matching(m.path)]
            self._holes.note(pattern, place, self._looked_at or min(looks, default=now))

    def _open(self, path: str, now: datetime) -> None:
        place = look_up(path)
        if place is not None and place.key is not None and self._is_read(place.key):
            self._put_back(path, place.key)
            return
        place = open_file(path)
        if place is None:
            return
        if place.descriptor is None or place.status is None:
            self._be_blind(path, place, now)
            return
        try:
            self._current[path] = self._reader(path, place.descriptor, place.status, now)
        except OSError as error:
            reason = f"cannot be read: {words(error)}"
            self._be_blind(path, Place(status=place.status, reason=reason), now)

    def _is_read(self, key: tuple[int, int]) -> bool:
        """Say whether a file is open already: under an older name, or under a second one."""
        return key in self._leaving or any(r.mark.key == key for r in self._current.values())

    def _put_back(self, path: str, key: tuple[int, int]) -> None:
        """Take up a file under its new path; one with two names keeps its first."""
        reader = self._leaving.pop(key, None)
        if reader is not None:
            reader.mark = replace(self._shelf.revive(reader.mark), path=path)
            self._current[path] = reader

    def _reader(self, path: str, descriptor: int, status: os.stat_result, now: datetime) -> Reader:
        """Read on in a file that is known, or from the beginning of one that is new.

        Raises OSError, with the file closed.
        """
        device, inode = status.st_dev, status.st_ino
        try:
            known = self._shelf.take((device, inode), descriptor)
        except OSError:
            os.close(descriptor)
            raise
        # What stands in another file than the one at the last look was written after that look.
        since = self._seen_until(path, written_at(status, now))
        self._looks.setdefault(path, since)
        fresh = Mark(path=path, device=device, inode=inode, looked_at=since)
        return Reader(descriptor, replace(known, path=path) if known else fresh)

    def _be_blind(self, path: str, place: Place, now: datetime) -> None:
        """Note that a path cannot be read; a file there is missing, until it can be or is gone."""
        if place.bars and not self._patterns.names(path) and path not in self._looks:
            return  # a folder, say, that a wildcard happens to match
        self._holes.note(path, place, self._unread_since(path, place, now))
        if place.key is None or place.bars:
            return
        device, inode = place.key
        since = self._holes.lasting[path].since
        fresh = Mark(path=path, device=device, inode=inode, looked_at=since)
        self._shelf.miss(replace(self._shelf.missing.get(place.key, fresh), path=path))

    def _unread_since(self, path: str, place: Place, now: datetime) -> datetime:
        """Say since when something may stand under a path that was never read."""
        written = written_at(place.status, now) if place.status else now
        seen = self._seen_until(path, written)
        return seen if place.bars else min(seen, written)

    def _seen_until(self, path: str, default: datetime) -> datetime:
        """Say up to when all that was written under a path is known. `default`: nobody looked."""
        for pattern in (path, *self._patterns.matching(path)):
            if (hole := self._holes.before.get(pattern)) is not None:
                return hole.since
        return self._looked_at or self._looks.get(path, default)

    # ---- files that are missing -------------------------------------------------------------

    def _find(self, mark: Mark, now: datetime) -> None:
        """Look for a file that was renamed unseen, could not be read, or is gone."""
        place = search(mark)
        if place is None:
            self._give_up(mark, now)
        elif place.descriptor is not None:
            self._leaving[mark.key] = Reader(place.descriptor, self._shelf.missing.pop(mark.key))
        elif self._patterns.matching(mark.path):
            self._holes.note(mark.path, place, mark.looked_at)

    def _give_up(self, mark: Mark, now: datetime) -> None:
        """Report a file lost, unless it is not asked for any more or stands there as a copy."""
        self._shelf.put(mark)
        if not self._patterns.matching(mark.path) or self._is_copied(mark):
            return
        unread = "was removed or replaced before it could be read"
        how = unread if mark.path in self._holes.before else how_gone(mark)
        self._lose(mark, how, now)

    def _is_copied(self, mark: Mark) -> bool:
        """Say whether all that was read of a file stands under its path in another one.

        So it is after a restored backup, or where a boot gave the file system another number.
        """
        reader = self._current.get(mark.path)
        return reader is not None and mark.position > 0 and reader.holds(mark)

    def _find_rotated(
        self, path: str, stored: Mapping[tuple[int, int], Mark], now: datetime
    ) -> None:
        """Open what was made at a path and rotated away while nobody looked.

        `stored`: the marks that an earlier process left. Where the path's file is still in its
        place, nothing was renamed.
        """
        reader = self._current.get(path)
        known = stored.get(reader.mark.key) if reader is not None else None
        is_in_place = known is not None and known.path == path and not known.over
        if is_in_place or not self._patterns.matching(path):
            return
        for descriptor, status in rotated(path):
            key = status.st_dev, status.st_ino
            if written_at(status, now) <= self._looks[path] or self._is_read(key):
                os.close(descriptor)
                continue
            with suppress(OSError):  # of a file that is over, and would be read once more
                self._leaving[key] = self._reader(path, descriptor, status, now)
