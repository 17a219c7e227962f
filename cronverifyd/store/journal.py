"""The append-only journal: what no outcome file can say.

One JSON object a line, `{"at", "kind", …}`. It is written before the transaction that it belongs to
is committed, so a line may stand here twice; whoever replays it goes by its keys.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Journal:
    """An open journal file."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write entries and wait until they are on the disk. Raises OSError."""
        if not entries:
            return
        size = os.fstat(self._descriptor).st_size
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        data = self._repair(size) + lines
        if os.write(self._descriptor, data) < len(data):
            # On a full disk the kernel writes what fits.
            os.ftruncate(self._descriptor, size)
            raise OSError(errno.ENOSPC, "the journal could not be written to its end")
        os.fdatasync(self._descriptor)

    def _repair(self, size: int) -> bytes:
        """Begin a new line if a power cut left the last one unfinished."""
        if size == 0 or os.pread(self._descriptor, 1, size - 1) == b"\n":
            return b""
        return b"\n"

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
