"""Whether a zip archive is whole: its directory, and its members with their checksums."""

from __future__ import annotations

import zipfile
import zlib
from typing import BinaryIO

from cronverifyd.host.streams import HOLDS_NOTHING, PIECE_BYTES, Budget, Enough, Fault

ENDS = (".zip",)
MAGICS = (b"PK\x03\x04", b"PK\x05\x06")

_MOST_DIRECTORY_BYTES = 4 * 1024 * 1024
"""Some 40,000 members: the library holds them all in memory at once, 1 kB each."""

_ENCRYPTED = 0x1
_NO_DIRECTORY = "is cut off: its zip directory, which comes last, is not there"


def check(file: BinaryIO, read: Budget, made: Budget) -> None:
    """Read a zip archive's directory and unpack its members. Raises Fault.

    Of members that are encrypted, or packed in other ways than usual, only the entry is looked at.
    """
    try:
        with zipfile.ZipFile(_Bounded(file, read)) as archive:
            entries = archive.infolist()
            for entry in entries:
                _check_member(archive, entry, made)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Fault(_words(error)) from None
    except NotImplementedError:
        raise Enough from None
    if not entries:
        raise Fault(HOLDS_NOTHING)
    if min(entry.header_offset for entry in entries) > 0:
        # Cut off behind a zip archive that it holds, it would pass for that one.
        raise Fault(_NO_DIRECTORY)


class _Bounded:
    """A file that is read within a budget, and never much of it at once."""

    def __init__(self, file: BinaryIO, budget: Budget) -> None:
        self._file = file
        self._budget = budget
        self.tell = file.tell
        self.seekable = file.seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, count: int = -1) -> bytes:
        if count > _MOST_DIRECTORY_BYTES:
            raise Enough
        data = self._file.read(_MOST_DIRECTORY_BYTES if count < 0 else count)
        self._budget.spend(len(data))
        return data


def _check_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, made: Budget) -> None:
    usual = entry.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    if entry.flag_bits & _ENCRYPTED or not usual:
        return
    with archive.open(entry) as member:
        while piece := member.read(PIECE_BYTES):
            made.spend(len(piece))


def _words(error: Exception) -> str:
    if str(error) == "File is not a zip file":
        return _NO_DIRECTORY
    return f"is broken zip: {str(error) or 'a member is cut off'}"
