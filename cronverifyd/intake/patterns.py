"""The configured paths and globs, and what they match now."""

from __future__ import annotations

import glob
import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cronverifyd.intake.place import list_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronverifyd.intake.place import Place


class Patterns:
    """The paths and globs of outcome files, as they are configured."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._all = tuple(patterns)
        self._globs = [pattern for pattern in patterns if glob.has_magic(pattern)]

    def paths(self) -> list[str]:
        """Name each configured path, whether something is there or not, and what globs match."""
        found: list[str] = []
        for pattern in self._all:
            found.extend(_glob(pattern) if pattern in self._globs else [pattern])
        return list(dict.fromkeys(found))

    def obstacles(self) -> Iterator[tuple[str, Place]]:
        """Give each glob whose folder cannot be listed, for glob.glob says nothing of that.

        That is the folder before the first wildcard. Of those that a wildcard itself matches many
        are nobody's business, as lost+found is for `/home/*/outcomes.jsonl`.
        """
        for pattern in self._globs:
            folder = next(each for each in Path(pattern).parents if not glob.has_magic(str(each)))
            if (place := list_folder(folder)) is not None:
                yield pattern, place

    def matching(self, path: str) -> list[str]:
        """Give the patterns that a path is, or matches."""
        found = [pattern for pattern in self._globs if PurePath(path).match(pattern)]
        return [path, *found] if self.names(path) else found

    def names(self, path: str) -> bool:
        """Say whether a path is configured as it is, and not only by a glob."""
        return path in self._all and path not in self._globs

    def folders(self) -> set[Path]:
        """Name the existing folders in which outcome files are or may appear."""
        found = {folder for pattern in self._all for folder in _glob(str(Path(pattern).parent))}
        # Path.is_dir() raises where a folder above cannot be searched.
        return {Path(folder) for folder in found if os.path.isdir(folder)}  # noqa: PTH112 (see above)


def _glob(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern))  # noqa: PTH207 (Path.glob takes no absolute pattern)
