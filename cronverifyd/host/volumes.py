"""The file systems that outcomes and state are written to: room on them, and since when none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.host.episodes import Episodes
from cronverifyd.model import Volume

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_LITTLE_BYTES = 1_000_000
_LITTLE_PART = 0.01
"""Full is less than the lesser of these; a small file system is not full because it is small."""


class Volumes:
    """The file systems of some paths, from the first look at each on."""

    def __init__(self) -> None:
        self._full: dict[str, Episodes] = {}
        self._read_only: dict[str, Episodes] = {}

    def look(self, paths: Iterable[str], now: datetime) -> tuple[Volume, ...]:
        """Look at the paths; one whose file system cannot be seen is left out."""
        looks = (self._look(path, now) for path in dict.fromkeys(paths))
        return tuple(volume for volume in looks if volume is not None)

    def _look(self, path: str, now: datetime) -> Volume | None:
        full = self._full.setdefault(path, Episodes())
        read_only = self._read_only.setdefault(path, Episodes())
        try:
            place = _existing(Path(path))
            device, seen = place.stat().st_dev, os.statvfs(place)
        except OSError:
            return None
        read_only.see(is_so=bool(seen.f_flag & os.ST_RDONLY), now=now)
        full.see(is_so=_is_full(seen), now=now)
        return Volume(
            path=path,
            device=device,
            size_bytes=seen.f_blocks * seen.f_frsize,
            free_bytes=seen.f_bavail * seen.f_frsize,
            free_inodes=seen.f_favail if seen.f_files else None,
            full=full.spans,
            read_only=read_only.spans,
        )


def _existing(path: Path) -> Path:
    """Find the path, or the nearest folder in which it could be made."""
    return next((each for each in (path, *path.parents) if each.exists()), path)


def _is_full(seen: os.statvfs_result) -> bool:
    if seen.f_flag & os.ST_RDONLY:
        return False  # an image that is mounted read-only has no room by its nature
    if seen.f_files and not seen.f_favail:
        return True
    free, size = seen.f_bavail * seen.f_frsize, seen.f_blocks * seen.f_frsize
    return size > 0 and (not free or free < min(_LITTLE_BYTES, size * _LITTLE_PART))
