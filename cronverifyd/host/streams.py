"""Bytes that come in pieces, and are counted: no file, however large or hostile, can take hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 1024 * 1024
MOST_BYTES = 1024**3
"""So much is read of a file, and so much is unpacked from it, and no more."""

HOLDS_NOTHING = "is whole but holds nothing"


class Fault(Exception):  # noqa: N818 - it is what is wrong with a file, no error of ours
    """What is wrong with a container: the end of a sentence that begins with its name."""


class Enough(Exception):  # noqa: N818 - it says that all is well so far
    """No more can be said at a bounded price, and nothing was wrong so far."""


class Budget:
    """So many bytes, and no more. `spend` raises Enough when they are used up."""

    def __init__(self, most: int) -> None:
        self._left = most

    def spend(self, count: int) -> None:
        """Take some bytes away."""
        self._left -= count
        if self._left < 0:
            raise Enough


def read_pieces(file: BinaryIO, budget: Budget) -> Iterator[bytes]:
    """Read a file from where it stands to its end."""
    while piece := file.read(PIECE_BYTES):
        budget.spend(len(piece))
        yield piece


class Stream:
    """Pieces, to be taken in other portions than they come in."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._at = 0

    def piece(self) -> bytes:
        """Take what is at hand: some bytes or, at the end, none."""
        self._refill()
        piece, self._at = self._held[self._at :], len(self._held)
        return piece

    def take(self, count: int) -> bytes:
        """Take so many bytes, fewer only at the end."""
        if self._at + count > len(self._held):
            self._gather(count)
        at, self._at = self._at, min(self._at + count, len(self._held))
        return self._held[at : self._at]

    def give_back(self, count: int) -> None:
        """Have the last bytes of what `take` gave come next again."""
        self._at -= count

    def peek(self, count: int) -> bytes:
        """Look at the next bytes, and leave them where they are."""
        ahead = self.take(count)
        self.give_back(len(ahead))
        return ahead

    def skip(self, count: int) -> bool:
        """Pass over so many bytes; say whether they were there."""
        while count > 0 and self._refill():
            step = min(count, len(self._held) - self._at)
            self._at += step
            count -= step
        return count == 0

    def skip_zeros(self) -> bool:
        """Pass over zero bytes; say whether anything else follows."""
        while self._refill():
            if self._held[self._at]:
                return True
            rest = self._held[self._at :].lstrip(b"\0")
            self._at = len(self._held) - len(rest)
        return False

    def drain(self) -> None:
        """Take all that is left."""
        while self.piece():
            pass

    def _refill(self) -> bool:
        """Have something at hand; False: there is no more."""
        if self._at == len(self._held):
            self._held, self._at = next(self._pieces, b""), 0
        return bool(self._held)

    def _gather(self, count: int) -> None:
        """Have so many bytes at hand, or all that are left."""
        parts = [self._held[self._at :]]
        missing = count - len(parts[0])
        while missing > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            missing -= len(piece)
        self._held, self._at = b"".join(parts), 0
