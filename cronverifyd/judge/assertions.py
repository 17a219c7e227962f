r"""Assertions: what a run must have been, such as `duration > 30s` or `output lacks 'ERROR'`.

One a string: SUBJECT OPERATOR VALUE. Spaces around symbols may be left out.

    subject                    value                        operators
    duration cpu               30s, 1h30m, 500ms            == != < <= > >=
    max_rss output_bytes       512, 10MB, 1.5GiB            == != < <= > >=
    exit_code output_lines     3                            == != < <= > >=
    metric.NAME                3, -0.5, 1e6                 == != < <= > >=
    status signal              success, 'no rows'           == != contains lacks =~ !~
    error                      'disk full'                  == != contains lacks =~ !~
    output output_tail         'dump complete'              contains lacks =~ !~

Sizes: kB, MB, GB, TB are powers of 1,000, KiB, MiB, GiB, TiB of 1,024; a bare number is bytes.
A text stands in '…' or "…" and knows the escapes \\ \' \" \n \r \t. A pattern, for =~ and !~, is in
slashes: /WARN|ERROR/, or /warn/i to ignore case; a slash within it is \/. It is written as RE2 has
it (https://github.com/google/re2/wiki/Syntax); ^ and $ match at every line, \A and \z at the ends.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from cronverifyd.judge.subjects import (
    EQUALITIES,
    OPERATORS,
    PATTERNS,
    SUBJECTS,
    Quantity,
    Subject,
    Text,
    signal_name,
    subject_of,
)
from cronverifyd.judge.wording import quoted

_MOST_CHARACTERS = 4_000
_MOST_SHOWN = 60

_NAME = re.compile(r"[^\s=!<>~]+")
_SIGN = re.compile(r"[=!<>~]+|[^\s'\"/=!<>~]+")
_REST = re.compile(r".+", re.DOTALL)
_QUOTED = re.compile(r"""(['"])((?:(?!\1)[^\\]|\\.)*)\1""", re.DOTALL)
_SLASHED = re.compile(r"/((?:[^/\\]|\\.)*)/(\w*)", re.DOTALL)
_BARE = re.compile(r"[^\s'\"/]\S*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}

# RE2 takes time linear in text and pattern. This bounds the pattern's program, and with it the
# factor (16 KiB in 0.4 s at the worst), and the states that it keeps.
_RE2_OPTIONS = re2.Options()
_RE2_OPTIONS.max_mem = 256 * 1024
_RE2_OPTIONS.log_errors = False
_RE2_OPTIONS.never_capture = True


class ExpectError(ValueError):
    """An assertion that cannot be read. `column`: where, counted from 1."""

    def __init__(self, column: int, what: str) -> None:
        super().__init__(f"column {column}: {what}")
        self.column = column


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class Pattern(Protocol):
    """A compiled pattern of RE2, which ships no types."""

    def search(self, text: bytes, pos: int) -> _Match | None:
        """Find it in a text, from a place on."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """One assertion. `wanted`: seconds, bytes, a number, a text, or a pattern with its slashes."""

    text: str
    subject: str
    operator: str
    wanted: float | str
    pattern: Pattern | None = field(default=None, repr=False, compare=False)


@lru_cache(maxsize=4_096)
def parse(text: str) -> Expectation:
    """Read an assertion. Raises ExpectError with the column and what is wrong there."""
    _check_characters(text)
    name, at = _part(_NAME, text, 0)
    subject = known_subject(name, at + 1)
    sign, at = _part(_SIGN, text, at + len(name))
    _check_operator(name, subject.kind.operators, sign, at + 1)
    value, at = _part(_REST, text, at + len(sign))
    wanted, pattern = _wanted(subject.kind, sign, value.rstrip(), at + 1)
    if name == "signal" and sign in EQUALITIES:
        wanted = signal_name(str(wanted))
    return Expectation(text=text, subject=name, operator=sign, wanted=wanted, pattern=pattern)


def _part(form: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    """Give what stands at a place, spaces aside, and where that begins; "" if it is not there."""
    at = len(text) - len(text[at:].lstrip())
    found = form.match(text, at)
    return (found[0] if found else ""), at


def _check_characters(text: str) -> None:
    if len(text) > _MOST_CHARACTERS:
        raise ExpectError(_MOST_CHARACTERS + 1, f"is longer than {_MOST_CHARACTERS} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ExpectError(error.start + 1, "half a surrogate pair is not a character") from None


def known_subject(name: str, column: int) -> Subject:
    """Find a subject. Raises ExpectError, with the column that it stands at, if there is none."""
    subject = subject_of(name)
    if subject is not None:
        return subject
    if not name:
        raise ExpectError(column, "a subject is missing, such as duration")
    if name.startswith("metric."):
        raise ExpectError(column, "metric. takes a name of letters, digits and _ . : / -")
    close = difflib.get_close_matches(name.lower(), [*SUBJECTS, "metric.NAME"], n=1)
    right = f"did you mean {close[0]}?" if close else f"use {', '.join(SUBJECTS)} or metric.NAME"
    raise ExpectError(column, f"{_shown(name)} is not a subject: {right}")


def _check_operator(name: str, fitting: tuple[str, ...], sign: str, column: int) -> None:
    if sign in fitting:
        return
    if not sign:
        raise ExpectError(column, f"an operator is missing: {name} takes {' '.join(fitting)}")
    wrong = f"does not fit {name}" if sign in OPERATORS else "is not an operator"
    raise ExpectError(column, f"{_shown(sign)} {wrong}: {name} takes {' '.join(fitting)}")


def _wanted(
    kind: Quantity | Text, sign: str, value: str, column: int
) -> tuple[float | str, Pattern | None]:
    if isinstance(kind, Quantity):
        return _measure(kind, sign, value, column), None
    if sign in PATTERNS:
        return _slashed(sign, value, column)
    return _text(kind, sign, value, column), None


def _measure(kind: Quantity, sign: str, value: str, column: int) -> float:
    if not value:
        raise ExpectError(column, f"{kind.name} is missing after {sign}, such as {kind.example}")
    first = value.split(maxsplit=1)[0]
    joined = "".join(value.split())
    if joined != value and joined[-1].isalpha() and _read(kind, joined) is not None:
        raise ExpectError(column, f"{_shown(value)} is not {kind.name}: write {joined}")
    wanted = _read(kind, first)
    if wanted is None:
        raise ExpectError(column, f"{_shown(value)} is not {kind.name}")
    if math.isinf(wanted):
        raise ExpectError(column, f"{_shown(first)} is too large")
    _check_end(value, len(first), column)
    return wanted


def _read(kind: Quantity, text: str) -> float | None:
    try:
        return kind.read(text)
    except ValueError:
        return None


def _check_end(value: str, end: int, column: int) -> None:
    rest = value[end:].lstrip()
    if rest:
        at = column + len(value) - len(rest)
        raise ExpectError(at, f"{_shown(rest)} is left over: one string holds one assertion")


def _text(kind: Text, sign: str, value: str, column: int) -> str:
    if quote := _QUOTED.match(value):
        _check_end(value, quote.end(), column)
        return _unescaped(quote[2], column)
    if value[:1] in {"'", '"'}:
        raise ExpectError(column, f"the quote {value[0]} is never closed")
    bare = _BARE.match(value)
    if bare and kind.bare:
        _check_end(value, bare.end(), column)
        return bare[0]
    if not value:
        raise ExpectError(column, f"a text is missing after {sign}, such as 'done'")
    hint = "; patterns are for =~ and !~" if value[0] == "/" else ""
    raise ExpectError(column, f"{sign} takes a text in quotes, not {_shown(value)}{hint}")


def _unescaped(body: str, column: int) -> str:
    if not body:
        raise ExpectError(column, "an empty text says nothing")
    for escape in _ESCAPE.finditer(body):
        if escape[1] not in _ESCAPES:
            at = column + 1 + escape.start()
            raise ExpectError(at, rf"{_shown(escape[0])} is not an escape: \\ \' \" \n \r \t are")
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[1]], body)


def _slashed(sign: str, value: str, column: int) -> tuple[str, Pattern]:
    found = _SLASHED.match(value)
    if found is None and value[:1] == "/":
        raise ExpectError(column, "the pattern is never closed: it ends with a /")
    if found is None:
        got = f", not {_shown(value)}" if value else ""
        raise ExpectError(column, f"{sign} takes a pattern between slashes, such as /ERROR/{got}")
    if not found[1]:
        raise ExpectError(column, "an empty pattern says nothing")
    if found[2] not in {"", "i"}:
        raise ExpectError(
            column + found.start(2),
            f"{_shown(found[2])} is not a flag; the only one is i (ignore case)",
        )
    _check_end(value, found.end(), column)
    return found[0], _compiled(found[1], found[2], column + 1)


def _compiled(source: str, flag: str, column: int) -> Pattern:
    """Compile a pattern. `column`: where its source begins."""
    flags = f"(?m{flag})"
    try:
        pattern: Pattern = re2.compile((flags + source).encode(), options=_RE2_OPTIONS)
    except re2.error as error:
        told = error.args[0].decode(errors="replace").replace(flags, "", 1)
    else:
        return pattern
    what, _, part = told.partition(": ")
    part = "(?P=" if part == "(?P" and "(?P=" in source else part
    at = max(source.find(part), 0) if part else 0
    raise ExpectError(column + at, _refusal(what, part))


def _refusal(what: str, part: str) -> str:
    """Say why RE2 refused a pattern, from its own words, such as `invalid perl operator: (?=`."""
    if part in {"(?=", "(?!", "(?<=", "(?<!"}:
        return f"{part} looks around, which patterns in linear time cannot do"
    if re.match(r"\\[1-9kg]|\(\?P=", part):
        return "the pattern refers back to a group, which patterns in linear time cannot do"
    if "too large" in what:
        return "the pattern is too large: repeat less in it"
    return f"the pattern cannot be read: {what}" + (f": {_shown(part)}" if part else "")


def _shown(text: str) -> str:
    return quoted(text, _MOST_SHOWN)
