"""The state folder: made, held by one process at a time, never left with another user's files."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cronverifyd.errors import LockedError, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTROL_SOCKET = "control.sock"
TRIGGER_SECRET = "trigger.secret"  # noqa: S105 (a file's name)
LOCK = "lock"


@contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Hold the state folder, making it if need be.

    Raises LockedError when another process holds it, StateError when it cannot be used. The lock
    goes with the process, however that ends, so there are no stale ones.
    """
    try:
        state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{state_dir}: cannot be used as state folder: {error.strerror}",
            remedy=f"ls -ld {state_dir}; it must be a folder that this user may write",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _locked(state_dir, descriptor) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(state_dir: Path, descriptor: int) -> LockedError:
    pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
    return LockedError(
        f"another cronverifyd (pid {pid}) holds {state_dir}",
        remedy="cronverifyd status shows what it sees; stop it first if it is to be replaced",
    )


def become_owner(state_dir: Path) -> None:
    """Drop from root to the owner of the state folder, so that no root's files are left in it.

    Raises StateError when that cannot be done.
    """
    if os.geteuid() != 0 or not state_dir.exists():
        return
    owner = state_dir.stat()
    if owner.st_uid == 0:
        return
    try:
        os.setgroups([owner.st_gid])
        os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
        os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
    except OSError as error:
        what = f"{state_dir} belongs to uid {owner.st_uid}, and root cannot become that user"
        raise StateError(what, remedy="run this command as that user") from error


def trigger_secret(state_dir: Path) -> tuple[str, bool]:
    """Return the secret that was made for the trigger, and whether it was made just now."""
    path = state_dir / TRIGGER_SECRET
    if path.exists() and (secret := path.read_text().strip()):
        return secret, False
    secret = secrets.token_hex(32)
    # By a new name and a rename: a crash in between leaves no empty secret behind.
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
    return secret, True
