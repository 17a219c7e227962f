"""Who wrote a file: its owner, as the kernel says it, where nobody else can have.

That is what sshd asks of a user's keys (StrictModes in sshd_config(5)): the file, and every folder
on the way to it, may be written by its owner and by root alone. Whoever may write a folder can put
another file in the place of this one.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = 0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
"""An access control list that lets others write shows in the group's bit (acl(5))."""


def writer_of(path: str, status: os.stat_result) -> int | None:
    """Name the user who alone can have written a file; None: others may as well.

    `status`: of the open file. `path`: under which it was opened.
    """
    owner = status.st_uid
    if status.st_mode & _OTHERS_WRITE:
        return None
    try:
        sound = all(_is_kept_by(owner, each.stat()) for each in _folders(path))
    except OSError:
        return None
    return owner if sound else None


def name_of(uid: int) -> str:
    """Give a user's name, or the number of one that has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _folders(path: str) -> Iterator[Path]:
    """Walk over the folders above a path, and those above what it links to."""
    here = Path(path).parents
    yield from here
    yield from (each for each in Path(os.path.realpath(path)).parents if each not in here)


def _is_kept_by(owner: int, folder: os.stat_result) -> bool:
    """Say whether nobody but a file's owner, root and the daemon can replace what is in a folder.

    In a sticky one, such as /tmp, only its own owner can replace what belongs to others.
    """
    if folder.st_uid not in {owner, _ROOT, os.geteuid()}:
        return False
    return bool(folder.st_mode & stat.S_ISVTX) or not folder.st_mode & _OTHERS_WRITE
