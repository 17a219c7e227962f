"""The append-only journal: what no outcome file can say.

One JSON object a line, `{"at", "kind", …}`. It is written before the transaction that it belongs to
is committed, so a line may stand here twice; whoever replays it goes by its keys.
"""

from __future__ import annotations

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
        data = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        os.write(self._descriptor, self._repair() + data)
        os.fdatasync(self._descriptor)

    def _repair(self) -> bytes:
        """Begin a new line if a full disk or a power cut left the last one unfinished."""
        size = os.fstat(self._descriptor).st_size
        if size == 0 or os.pread(self._descriptor, 1, size - 1) == b"\n":
            return b""
        return b"\n"

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
