"""Whether a file is JSON (RFC 8259), or JSON Lines: one document a line."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

import msgspec

from cronverifyd.host.streams import HOLDS_NOTHING, PIECE_BYTES, Enough, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.host.streams import Stream

MOST_DOCUMENT_BYTES = 64 * 1024 * 1024
"""Of a larger document only the two ends are compared."""

_LINES_ENDS = (".jsonl", ".ndjson")
ENDS = (".json", *_LINES_ENDS)

_BOM = b"\xef\xbb\xbf"
_CLOSINGS = {b"{": b"}", b"[": b"]", b'"': b'"'}
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

# A Raw is checked and skipped, not built: a parsed document takes ten times its size.
_DECODER = msgspec.json.Decoder(msgspec.Raw)


def check(stream: Stream, name: str) -> None:
    """Read JSON to its end; lines as well, since exports are often called `.json`. Raises Fault."""
    if stream.peek(len(_BOM)) == _BOM:
        stream.skip(len(_BOM))
    if name.endswith(_LINES_ENDS):
        _check_lines(stream)
        return
    text = stream.take(MOST_DOCUMENT_BYTES + 1)
    if _is_lines(text):
        stream.give_back(len(text))
        _check_lines(stream)
    elif len(text) > MOST_DOCUMENT_BYTES:
        _check_ends(text, stream)
    elif (wrong := _wrong_with(text)) is not None:
        raise Fault(f"is not JSON: {wrong}")


def _is_lines(text: bytes) -> bool:
    end = text.find(b"\n")
    return end > 0 and not text[:end].isspace() and _wrong_with(text[:end]) is None


def _check_lines(stream: Stream) -> None:
    number, documents = 0, 0
    for block in _blocks(stream):
        lines = block.split(b"\n")
        documents += _check_each(lines, number)
        number += len(lines) - 1
    if not documents:
        raise Fault(HOLDS_NOTHING)


def _blocks(stream: Stream) -> Iterator[bytes]:
    """Cut a stream into blocks that end with a newline; the last one need not."""
    parts: list[bytes] = []
    held = 0
    while piece := stream.piece():
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join((*parts, piece[:end]))
            parts, held = [], 0
        parts.append(piece[end:])
        held += len(parts[-1])
        if held > MOST_DOCUMENT_BYTES:
            raise Enough
    yield b"".join(parts)


def _check_each(lines: list[bytes], before: int) -> int:
    """Check some lines and count those that hold something. `before`: how many came before."""
    documents = 0
    for number, line in enumerate(lines, before + 1):
        if not line or line.isspace():
            continue
        documents += 1
        if (wrong := _wrong_with(line)) is not None:
            raise Fault(f"is not JSON in line {number}: {wrong}")
    return documents


def _wrong_with(text: bytes) -> str | None:
    """Say why a text is no JSON document; None: it is one."""
    if b"\\u" in text:
        # Half a surrogate pair is grammar still, and some languages write it. Same length, so
        # that the places in an error's words stay right.
        text = _SURROGATE.sub(rb"\\u0020", text)
    try:
        _DECODER.decode(text)
        _check_utf8(text)
    except msgspec.DecodeError as error:
        return str(error).removeprefix("JSON is malformed: ").replace("Input data was", "it is")
    except UnicodeDecodeError as error:
        return error.reason
    except RecursionError:
        return None  # very deep is not broken
    return None


def _check_utf8(text: bytes) -> None:
    """Decode a text, a large one piece by piece (RFC 8259: JSON is in UTF-8); a Raw is not."""
    if len(text) <= PIECE_BYTES:
        text.decode()
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(text), PIECE_BYTES):
        decoder.decode(text[at : at + PIECE_BYTES])
    decoder.decode(b"", final=True)


def _check_ends(text: bytes, stream: Stream) -> None:
    """Compare how a large document begins with how it ends."""
    first = text.lstrip()[:1]
    last = text
    while piece := stream.piece():
        last = piece if piece.strip() else last
    wanted = _CLOSINGS.get(first)
    if wanted is not None and last.rstrip()[-1:] != wanted:
        raise Fault(f"is not JSON: it begins with {first.decode()} and does not end with its like")
