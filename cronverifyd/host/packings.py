"""Files that hold one stream, packed: gzip, xz, bzip2 and zstd."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

import zstandard

from cronverifyd.host.streams import PIECE_BYTES, Budget, Enough, Fault, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MEMORY_BYTES = 128 * 1024 * 1024
"""Enough for `xz -9` and for `zstd --long`; what asks for more is not unpacked."""

_MAGIC_BYTES = 16
_FEED_BYTES = 64 * 1024
_ZSTD_STEP = 256
_MEMBER_COST = 512


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """One member of a gzip file, checksum and length compared, in the manner of bz2 and lzma."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Zstd:
    """One frame of a zstd file.

    The library cannot be told how much to unpack at most: it is given so little at once that even
    blocks which repeat one byte (4 bytes for 128 KiB, RFC 8878) make no more than 8 MiB of it.
    """

    def __init__(self) -> None:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MEMORY_BYTES)
        self._inner = unpacker.decompressobj()
        self._data = b""
        self._at = 0

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return self._at >= len(self._data)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._data[self._at :]

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._data, self._at = data, 0
        made: list[bytes] = []
        left = max_length
        while left > 0 and not self.needs_input and not self.eof:
            step = self._data[self._at : self._at + _ZSTD_STEP]
            self._at += len(step)
            made.append(self._inner.decompress(step))
            left -= len(made[-1])
        return b"".join(made)


class Packing(NamedTuple):
    """A format that holds one stream, in members that follow each other.

    `ends`: suffixes of names, and what stands in their place once it is unpacked.
    """

    name: str
    magic: re.Pattern[bytes]
    ends: dict[str, str]
    begin: Callable[[], _Unpacker]
    error: type[Exception]


PACKINGS = (
    Packing(
        name="gzip",
        magic=re.compile(rb"\x1f\x8b\x08"),
        ends={".gz": "", ".tgz": ".tar"},
        begin=_Gzip,
        error=zlib.error,
    ),
    Packing(
        name="xz",
        magic=re.compile(rb"\xfd7zXZ\x00"),
        ends={".xz": "", ".txz": ".tar"},
        begin=lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES),
        error=lzma.LZMAError,
    ),
    Packing(
        name="bzip2",
        magic=re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),  # a block, or the end at once
        ends={".bz2": "", ".tbz2": ".tar", ".tbz": ".tar"},
        begin=bz2.BZ2Decompressor,
        error=OSError,
    ),
    Packing(
        name="zstd",
        magic=re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),  # the second: to be skipped
        ends={".zst": "", ".tzst": ".tar"},
        begin=_Zstd,
        error=zstandard.ZstdError,
    ),
)

_BEYOND_US = ("memory", "dictionary mismatch", "unsupported options", "unsupported integrity check")
"""Words of errors that speak of what we lack, not of the file."""


def unpacked(packed: Stream, packing: Packing, budget: Budget) -> Iterator[bytes]:
    """Unpack a file to its end, checksums compared.

    Zeros may follow, as tapes and block devices leave them, and nothing else but another member.
    """
    yield from _member(packed, packing, budget)
    while packed.skip_zeros():
        if not packing.magic.match(packed.peek(_MAGIC_BYTES)):
            raise Fault(f"has bytes behind its end that are not {packing.name}")
        yield from _member(packed, packing, budget)


def _member(packed: Stream, packing: Packing, budget: Budget) -> Iterator[bytes]:
    member = packing.begin()
    budget.spend(_MEMBER_COST)  # or a file of tiny members would take hours
    while not member.eof:
        data = packed.take(_FEED_BYTES) if member.needs_input else b""
        made = _unpack(member, data, packing)
        budget.spend(len(made))
        if made:
            yield made
        elif not data and member.needs_input and not member.eof:
            raise Fault(f"is cut off: its {packing.name} data has no end")
    packed.give_back(len(member.unused_data))


def _unpack(member: _Unpacker, data: bytes, packing: Packing) -> bytes:
    try:
        return member.decompress(data, PIECE_BYTES)
    except packing.error as error:
        what = str(error).rpartition(": ")[2]
        if any(word in what.lower() for word in _BEYOND_US):
            raise Enough from None
        raise Fault(f"is broken {packing.name}: {what}") from None
