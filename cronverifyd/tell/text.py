"""Make text from jobs inert and short, for terminals and for Slack.

Order: clean, cut, escape, measure. Escaping works character by character, so that a cut never
divides an escape.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CUT = "… (cut)"

# ECMA-48: CSI sequences; strings (OSC, DCS, SOS, PM, APC) with their payload, as long as it stays
# on one line; every other escape. Possessive, so that hostile input cannot make it backtrack.
_ESCAPES = re.compile(
    r"""
      (?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)
    | \x1b[ -/]*+[0-~]
    """,
    re.VERBOSE,
)
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")

# Controls, invisible format characters (bidi overrides, zero-width, tags) and lone surrogates.
_UNSAFE = frozenset({"Cc", "Cf", "Cs"})

# Slack asks for &, < and > to be escaped, and for nothing else. A back-tick could close our fence:
# U+02CB looks like it. Slack leaves @here and bare addresses alone in verbatim text, but others
# that take its format (Mattermost, Discord) do not: an invisible word joiner breaks them.
_SLACK = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "`": "\u02cb",
        "@": "@\u2060",
    }
)
_INERT = str.maketrans({"`": "\u02cb", "@": "@\u2060", "<": "<\u2060"})
_LINK, _NO_LINK = "://", ":\u2060//"


def plain(text: str) -> str:
    """Take out what a terminal or a bidi renderer would obey; keep tabs and line feeds."""
    text = _LINE_ENDS.sub("\n", _ESCAPES.sub("", text))
    return "".join(char for char in text if char in "\n\t" or _shown(char))


def one_line(text: str, most: int) -> str:
    """Make plain text of at most `most` characters, on one line."""
    return cut(" ".join(plain(text).split()), most)


def cut(text: str, most: int) -> str:
    """Keep the beginning; at most `most` characters, the mark included."""
    return text if len(text) <= most else text[: most - len(CUT)] + CUT


def last_lines(text: str, lines: int, most: int) -> str:
    """Keep the end of plain text: at most `lines` lines and `most` characters and the mark's own.

    The mark stands on a line of its own above what was kept.
    """
    whole = plain(text).strip("\n")
    kept = "\n".join(whole.split("\n")[-lines:])[-most:]
    return kept if kept == whole else f"{CUT}\n{kept}"


def inert(text: str) -> str:
    """Take the meaning from what a chat would take for a mention, a link or a fence.

    For services whose own escapes are not known here: invisible word joiners break all of them.
    """
    return text.replace(_LINK, _NO_LINK).translate(_INERT)


def slack(text: str, most: int) -> str:
    """Escape plain text for Slack and keep its beginning: at most `most` characters, escaped."""
    text = text.replace(_LINK, _NO_LINK)
    escaped = text.translate(_SLACK)
    if len(escaped) <= most:
        return escaped
    return text[: _fitting(text, most - len(CUT))].translate(_SLACK) + CUT


def slack_end(text: str, most: int) -> str:
    """Escape plain text for Slack and keep its end: at most `most` characters, escaped."""
    text = text.replace(_LINK, _NO_LINK)
    escaped = text.translate(_SLACK)
    if len(escaped) <= most:
        return escaped
    count = _fitting(reversed(text), most - len(CUT) - 1)
    return f"{CUT}\n{text[len(text) - count :].translate(_SLACK)}"


def _shown(char: str) -> bool:
    return unicodedata.category(char) not in _UNSAFE


def _fitting(chars: Iterable[str], room: int) -> int:
    ends = accumulate(len(char.translate(_SLACK)) for char in chars)
    return sum(1 for _ in takewhile(lambda end: end <= room, ends))
