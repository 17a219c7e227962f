"""Files that are looked for by their mark: renamed, replaced or removed while nobody looked."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.intake.place import Place, closed_folder, look_up, open_file, words
from cronverifyd.intake.reader import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.intake.reader import Reader
    from cronverifyd.model import Mark

_ROTATED = re.compile(r"[-._]\d[-._\d]*")
"""What logrotate puts after a name: `.1`, or a date (dateext) such as `-20240515`."""


def search(mark: Mark) -> Place | None:
    """Open a file that is known by its mark, under whatever name it has in its folder.

    Answer None where it is nowhere; a Place with a reason where it, or its folder, cannot be read.
    """
    try:
        names = names_of(mark) if mark.position else [mark.path]  # no bytes to know it by
    except PermissionError:
        names = [mark.path]  # of a folder that cannot be listed, a path may still be looked up
    except OSError as error:
        return closed_folder(error)
    for name in names:
        place = open_file(name)
        if place is None:
            continue
        if place.descriptor is None and place.key in {None, mark.key}:
            return place
        if place.descriptor is not None and (found := _known_again(place, mark)) is not None:
            return found
    return None


def reopen(reader: Reader, names: list[str]) -> bool:
    """Let a reader go on through one of these names, if one leads to its file; say whether."""
    for name in names:
        place = open_file(name)
        if place is None or place.key != reader.mark.key:
            _close(place)
            continue
        if place.descriptor is not None:
            reader.take(place.descriptor)
        return True
    return False


def names_of(mark: Mark) -> list[str]:
    """Name what has the mark's inode in the folder of its path, or of what its path links to.

    Raises OSError for a folder that cannot be listed; one that does not exist is empty.
    """
    found: list[str] = []
    own = Path(mark.path)
    for folder in dict.fromkeys((own.parent, Path(os.path.realpath(own)).parent)):
        try:
            with os.scandir(folder) as entries:
                found.extend(entry.path for entry in entries if entry.inode() == mark.inode)
        except FileNotFoundError:
            continue
    return found


def is_out_of_sight(mark: Mark) -> bool:
    """Say whether a file that is open has no name any more where `search` would look for one."""
    try:
        return not names_of(mark)
    except OSError:
        return False


def rotated(path: str) -> Iterator[tuple[int, os.stat_result]]:
    """Open what stands beside a path under its name and a number or a date, the oldest first."""
    for name in _rotated_names(path):
        place = open_file(name)
        if place is not None and place.descriptor is not None and place.status is not None:
            yield place.descriptor, place.status


def how_gone(mark: Mark) -> str:
    """Say, in a sentence's end, what became of a file that `search` does not find."""
    place = look_up(mark.path)
    if place is not None and place.status is not None and place.key == mark.key:
        size = place.status.st_size
        if size < mark.position:
            sizes = f"from {mark.position} to {size} bytes"
            return f"was truncated {sizes}, or replaced, while nobody looked"
    return "is gone: it was removed or replaced while nobody looked"


def _rotated_names(path: str) -> list[str]:
    own = Path(path)
    found: list[tuple[int, str]] = []
    try:
        with os.scandir(own.parent) as entries:
            for entry in entries:
                rest = entry.name.removeprefix(own.name)
                if rest != entry.name and _ROTATED.fullmatch(rest):
                    found.append((entry.stat().st_mtime_ns, entry.path))
    except OSError:
        return []
    return [name for _, name in sorted(found)]


def _known_again(place: Place, mark: Mark) -> Place | None:
    """Return an open file if it is the mark's, or if that cannot be told; else close it."""
    if place.descriptor is None or place.key != mark.key:
        _close(place)
        return None
    try:
        if mark.probe == probe(place.descriptor, mark.position):
            return place
    except OSError as error:
        _close(place)
        return Place(status=place.status, reason=f"cannot be read: {words(error)}")
    _close(place)
    return None


def _close(place: Place | None) -> None:
    if place is not None and place.descriptor is not None:
        os.close(place.descriptor)
