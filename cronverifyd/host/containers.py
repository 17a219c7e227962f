"""Whether a container is whole: packed files, archives, JSON and SQLite, by content, then by name.

What it is called also binds: a file whose name ends with `.gz` and that is not gzip is broken. Any
other file is whole if it can be read to its end.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from cronverifyd.host import database, jsontext, tarball, zipped
from cronverifyd.host.packings import PACKINGS, Packing, unpacked
from cronverifyd.host.streams import (
    HOLDS_NOTHING,
    MOST_BYTES,
    Budget,
    Enough,
    Fault,
    Stream,
    read_pieces,
)

if TYPE_CHECKING:
    from pathlib import Path

_HEAD_BYTES = 512
_MOST_CHARACTERS = 300


def fault_of(file: BinaryIO, path: Path, most: int = MOST_BYTES) -> str | None:
    """Say what is wrong with a container, as the end of a sentence that begins with its name.

    None: nothing is, as far as was looked: up to `most` bytes are read, and as many unpacked.
    `file` is the one at `path`, open and at its beginning. Never raises.
    """
    try:
        _check(file, path, most)
    except Fault as fault:
        return _one_line(str(fault))
    except Enough:
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except Exception as error:  # noqa: BLE001 - over hostile files, libraries raise what they like
        return _one_line(f"cannot be read: {type(error).__name__}: {error}")
    return None


def _one_line(text: str) -> str:
    """Make words of hostile files fit to be kept."""
    return " ".join(text.encode(errors="replace").decode().split())[:_MOST_CHARACTERS]


def _check(file: BinaryIO, path: Path, most: int) -> None:
    name = path.name.lower()
    read, made = Budget(most), Budget(most)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    _check_name(head, name)
    if head.startswith(zipped.MAGICS):
        zipped.check(file, read, made)
    elif head.startswith(database.MAGIC):
        database.check(head, os.fstat(file.fileno()).st_size, path)
    else:
        _check_stream(Stream(read_pieces(file, read)), head, name, made)


def _check_name(head: bytes, name: str) -> None:
    """Compare what a file is with what it is called. Raises Fault."""
    if not head:
        raise Fault("is empty")
    if name.endswith(zipped.ENDS) and not head.startswith(zipped.MAGICS):
        raise Fault("is not zip")
    if name.endswith(database.ENDS) and not head.startswith(database.MAGIC):
        raise Fault("is not SQLite")
    for packing in PACKINGS:
        if name.endswith(tuple(packing.ends)) and not packing.magic.match(head):
            raise Fault(f"is not {packing.name}")


def _check_stream(stream: Stream, head: bytes, name: str, made: Budget) -> None:
    packing = next((each for each in PACKINGS if each.magic.match(head)), None)
    if packing is None:
        _check_plain(stream, head, name)
    else:
        _check_packed(stream, packing, name, made)


def _check_packed(stream: Stream, packing: Packing, name: str, made: Budget) -> None:
    inner = Stream(unpacked(stream, packing, made))
    head = inner.peek(_HEAD_BYTES)
    if not head:
        raise Fault(HOLDS_NOTHING)
    _check_plain(inner, head, _inner_name(name, packing))


def _inner_name(name: str, packing: Packing) -> str:
    for end, instead in packing.ends.items():
        if name.endswith(end):
            return name.removesuffix(end) + instead
    return name


def _check_plain(stream: Stream, head: bytes, name: str) -> None:
    if tarball.looks_like_tar(head) or name.endswith(".tar"):
        tarball.check(stream)
    elif name.endswith(jsontext.ENDS):
        jsontext.check(stream, name)
    stream.drain()
