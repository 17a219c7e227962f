"""Whether a user may do something with a file, by the modes on the way (path_resolution(7))."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronverifyd.doctor.facts import Account, Entry

READ, WRITE, SEARCH = 4, 2, 1


def may(account: Account, entry: Entry, bit: int) -> bool:
    """Say whether an account has one right on an entry; lists of rights (acl(5)) are not seen."""
    if account.uid == 0:
        return True
    if account.uid == entry.uid:
        return bool(entry.mode >> 6 & bit)
    if entry.gid in account.gids:
        return bool(entry.mode >> 3 & bit)
    return bool(entry.mode & bit)


def closed_to(account: Account, way: Sequence[Entry]) -> Entry | None:
    """Name the first folder that an account cannot pass through, or None."""
    return next((folder for folder in way if not may(account, folder, SEARCH)), None)
