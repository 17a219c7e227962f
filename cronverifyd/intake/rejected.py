"""Lines that are not outcomes: kept whole, with the reason and the place, in `rejected.jsonl`."""

from __future__ import annotations

import base64
import errno
import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from cronverifyd.model import Mark

REJECTED = "rejected.jsonl"


class Rejection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rejected line. Bytes that are not UTF-8 stand in `line_base64` instead of `line`."""

    at: datetime
    file: str
    offset: int
    reason: str
    line: str | None = None
    line_base64: str | None = None


def rejection(data: bytes, mark: Mark, offset: int, reason: str, now: datetime) -> Rejection:
    """Describe a line that was rejected."""
    try:
        line, encoded = data.decode(), None
    except UnicodeDecodeError:
        line, encoded = None, base64.b64encode(data).decode()
    return Rejection(
        at=now, file=mark.path, offset=offset, reason=reason, line=line, line_base64=encoded
    )


def keep_rejected(state_dir: Path, rejections: Sequence[Rejection]) -> None:
    """Append rejected lines to the state folder's `rejected.jsonl`.

    A unit of work that fails afterwards appends them once more. Raises OSError.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(state_dir / REJECTED, flags, 0o600)
    try:
        _append(descriptor, b"".join(msgspec.json.encode(r) + b"\n" for r in rejections))
    finally:
        os.close(descriptor)


def _append(descriptor: int, data: bytes) -> None:
    """Append all of it or nothing: on a full disk the kernel writes what fits."""
    size = os.fstat(descriptor).st_size
    if os.write(descriptor, data) < len(data):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, "rejected lines could not be written to the end")
