"""Whether a tar archive is whole: its headers, its members' data and its end.

The library's tarfile is no judge of that: it takes a damaged header for the end of the archive, and
does not miss the end mark (https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cronverifyd.host.streams import HOLDS_NOTHING, Fault

if TYPE_CHECKING:
    from cronverifyd.host.streams import Stream

BLOCK_BYTES = 512

_END = bytes(BLOCK_BYTES)
_MOST_RECORDS_BYTES = 1024 * 1024
_PAX_SIZE = re.compile(rb"(?:^|\n)\d{1,20} size=(\d{1,20})\n")
_WITHOUT_DATA = frozenset(b"123456")
"""Links, devices, folders and pipes; a size in their headers is only a hint."""

_OF_THE_NEXT = frozenset(b"xgLK")
"""Headers that only say more of the members that follow."""


def looks_like_tar(head: bytes) -> bool:
    """Say whether bytes begin a tar archive, the oldest kind aside, which has no magic."""
    return head[257:262] == b"ustar"


def check(stream: Stream) -> None:
    """Read a tar archive to its end mark. Raises Fault."""
    members = 0
    pax_size: int | None = None
    while (header := stream.take(BLOCK_BYTES)) != _END:
        size = _checked_size(header, members)
        kind = header[156]
        if kind == ord("x") and size <= _MOST_RECORDS_BYTES:
            pax_size = _size_in(stream.peek(size))
        elif kind not in _OF_THE_NEXT:
            size, pax_size = size if pax_size is None else pax_size, None
            members += 1
        if not _pass_over(stream, header, size):
            raise Fault(f"is cut off within its tar member {_name(header)}")
    if not members:
        raise Fault(HOLDS_NOTHING)


def _checked_size(header: bytes, members: int) -> int:
    if not members and not looks_like_tar(header) and not _is_sound(header):
        raise Fault("is not tar")
    if len(header) < BLOCK_BYTES:
        raise Fault(f"is cut off: its tar archive has no end after {_count(members)}")
    size = _number(header[124:136]) if _is_sound(header) else None
    if size is None:
        raise Fault(f"has a damaged tar header after {_count(members)}")
    return size


def _count(members: int) -> str:
    return "1 member" if members == 1 else f"{members} members"


def _is_sound(header: bytes) -> bool:
    """Compare a header with its checksum: the sum of its bytes, signed in some old archives."""
    if len(header) < BLOCK_BYTES:
        return False
    told = _number(header[148:156])
    blanked = header[:148] + b" " * 8 + header[156:]
    total = sum(blanked)
    return told in {total, total - 256 * sum(byte > 127 for byte in blanked)}


def _number(text: bytes) -> int | None:
    """Read a number of a header: octal digits or, of GNU tar, 95 bits; None: it is neither."""
    if text[0] & 0x80:
        return int.from_bytes(text, "big") & ~(0x80 << 8 * (len(text) - 1))
    digits = text.strip(b" \0")
    if not digits:
        return 0
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None


def _size_in(records: bytes) -> int | None:
    """Find a size beyond 8 GiB, which pax(1) keeps beside the header."""
    found = _PAX_SIZE.search(records)
    return int(found[1]) if found else None


def _pass_over(stream: Stream, header: bytes, size: int) -> bool:
    """Pass over what belongs to a header; say whether all of it was there."""
    if header[156] == ord("S") and not _pass_over_map(stream, header[482]):
        return False
    if header[156] in _WITHOUT_DATA:
        return True
    return stream.skip(-(-size // BLOCK_BYTES) * BLOCK_BYTES)


def _pass_over_map(stream: Stream, extended: int) -> bool:
    """Pass over the rest of an old GNU sparse file's map of holes."""
    while extended:
        block = stream.take(BLOCK_BYTES)
        if len(block) < BLOCK_BYTES:
            return False
        extended = block[504]
    return True


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0].decode(errors="replace")
    return f'"{" ".join(name.split())}"'
