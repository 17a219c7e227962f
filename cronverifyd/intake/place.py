"""What stands at a path: a file to read, nothing, or what keeps it from being read."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Something at a path. `descriptor`: open for reading, for its user to close.

    `reason` None: it can be read. Else a sentence's end that says why not; then `status` is None
    where not even that can be had. `bars`: nobody can write lines there either.
    """

    status: os.stat_result | None = None
    descriptor: int | None = None
    reason: str | None = None
    bars: bool = False

    @property
    def key(self) -> tuple[int, int] | None:
        """Name the file, or None where it cannot be told."""
        return None if self.status is None else (self.status.st_dev, self.status.st_ino)


def look_up(path: str) -> Place | None:
    """Say what stands at a path, with nothing opened; None for nothing."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return _out_of_reach(error)
    if stat.S_ISREG(status.st_mode):
        return Place(status=status)
    reason = "is a directory" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
    return Place(status=status, reason=reason, bars=True)


def open_file(path: str) -> Place | None:
    """Open a regular file for reading; None where nothing stands at the path."""
    # Nothing else is opened: that lets the writer of a FIFO go on, and rewinds a tape.
    place = look_up(path)
    if place is None or place.reason is not None:
        return place
    try:
        # O_NONBLOCK: a FIFO that takes the file's place meanwhile must not make us wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        return replace(place, reason=f"cannot be opened: {words(error)}")
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return Place(status=status, descriptor=descriptor)
    os.close(descriptor)
    return Place(status=status, reason="is not a regular file", bars=True)


def list_folder(folder: Path) -> Place | None:
    """Say what keeps a folder from being listed; None for nothing, and where there is no folder."""
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return None
    except OSError as error:
        return closed_folder(error)
    return None


def closed_folder(error: OSError) -> Place:
    """Describe a folder that cannot be listed or searched."""
    return Place(
        reason=f"its folder cannot be read: {words(error)}", bars=error.errno == errno.ENOTDIR
    )


def written_at(status: os.stat_result, now: datetime) -> datetime:
    """Say when a file was last written, but never later than now."""
    return min(now, datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC))


def words(error: OSError) -> str:
    """Give the operating system's own words."""
    return error.strerror or str(error)


def _out_of_reach(error: OSError) -> Place:
    if error.errno in {errno.EACCES, errno.ENOTDIR}:
        return closed_folder(error)
    return Place(reason=f"cannot be opened: {words(error)}", bars=error.errno == errno.ELOOP)
