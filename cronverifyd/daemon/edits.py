"""Tell when the configuration file was edited, and when the edit is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Edition = tuple[int, int, int] | None

SETTLES_S = 1.0


class Edits:
    """Compares the editions of a file. `known`: the one that was read last.

    Editors write a file in several steps, so an edition counts once it has stood for a second. Its
    time of change does not say so: while ext4 truncates a file, it shows the new size with the old
    time, and an empty configuration is a valid one.
    """

    def __init__(self, known: Edition) -> None:
        self.known = known
        self._seen = known
        self._seen_since_s = 0.0

    def is_new(self, edition: Edition, now_s: float) -> bool:
        """Say whether this edition is not the known one, and has stood long enough to be read.

        `now_s`: of the monotonic clock.
        """
        if edition != self._seen:
            self._seen, self._seen_since_s = edition, now_s
        return edition != self.known and now_s - self._seen_since_s >= SETTLES_S


def edition_of(path: Path) -> Edition:
    """Tell one edition of a file from another; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
