"""The marks of files that are known and not open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronverifyd.intake.reader import probe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cronverifyd.model import Mark


class Shelf:
    """Marks by device and inode.

    `missing`: something of these files may be unread, so they have to be found. `over`: nothing is,
    but they may be put back.
    """

    def __init__(self, marks: Iterable[Mark]) -> None:
        self.missing: dict[tuple[int, int], Mark] = {}
        self.over: dict[tuple[int, int], Mark] = {}
        self._unkept: dict[int | None, Mark] = {}
        for mark in marks:
            (self.over if mark.over else self.missing)[mark.key] = mark

    def looks(self) -> dict[str, datetime]:
        """Say when each path was last looked at."""
        found: dict[str, datetime] = {}
        for mark in (*self.over.values(), *self.missing.values()):
            found[mark.path] = max(mark.looked_at, found.get(mark.path, mark.looked_at))
        return found

    def unkept(self) -> list[Mark]:
        """Return the marks whose files are over, which the store does not know yet."""
        return list(self._unkept.values())

    def accept(self, mark: Mark) -> bool:
        """Note that the store knows that a file is over; False if that was not awaited."""
        return mark.over and self._unkept.pop(mark.file_id, None) is not None

    def finish(self, mark: Mark) -> Mark:
        """Have the store told that nothing of a file is unread any more, if it knows the file."""
        over = replace(mark, over=True)
        if over.file_id is not None:
            self._unkept[over.file_id] = over
        return over

    def revive(self, mark: Mark) -> Mark:
        """Take back that nothing of a file is unread: it was put back."""
        self._unkept.pop(mark.file_id, None)
        return replace(mark, over=False)

    def put(self, mark: Mark) -> None:
        """Keep the mark of a file of which nothing is unread any more."""
        self.missing.pop(mark.key, None)
        self.over[mark.key] = self.finish(mark)

    def miss(self, mark: Mark) -> None:
        """Keep the mark of a file that stands there and cannot be read."""
        self.missing[mark.key] = mark

    def take(self, key: tuple[int, int], descriptor: int) -> Mark | None:
        """Take the mark by which an open file is known, or None for a new file. Raises OSError."""
        mark = self.missing.get(key) or self.over.get(key)
        if mark is None or mark.probe != probe(descriptor, mark.position):
            return None
        self.missing.pop(key, None)
        self.over.pop(key, None)
        return self.revive(mark)
