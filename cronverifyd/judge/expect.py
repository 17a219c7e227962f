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
import operator
import re
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from cronverifyd.judge.duration import format_duration, parse_duration
from cronverifyd.judge.outcome import MAX_TAIL_BYTES
from cronverifyd.judge.wording import plural, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronverifyd.model import Run

_MOST_CHARACTERS = 4_000
_MOST_SHOWN = 60

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "==": (operator.eq, ""),
    "!=": (operator.ne, "anything but "),
    "<": (operator.lt, "less than "),
    "<=": (operator.le, "at most "),
    ">": (operator.gt, "more than "),
    ">=": (operator.ge, "at least "),
}
_EQUALITIES = ("==", "!=")
_PATTERNS = ("=~", "!~")
_SEARCHES = ("contains", "lacks", *_PATTERNS)
_NEGATIONS = ("lacks", "!~")
_OPERATORS = (*_COMPARISONS, *_SEARCHES)

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


class _Pattern(Protocol):
    def search(self, text: bytes, pos: int) -> _Match | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """One assertion. `wanted`: seconds, bytes, a number, a text, or a pattern with its slashes."""

    text: str
    subject: str
    operator: str
    wanted: float | str
    pattern: _Pattern | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Whether an assertion holds, in a sentence, and the value that it saw."""

    holds: bool
    sentence: str
    seen: str


# ---- Sizes and numbers ---------------------------------------------------------------------------

_DECIMAL = {"kB": 1_000, "MB": 1_000**2, "GB": 1_000**3, "TB": 1_000**4}
_BINARY = {"KiB": 1_024, "MiB": 1_024**2, "GiB": 1_024**3, "TiB": 1_024**4}
_SIZES = {"": 1, "B": 1, "KB": 1_000} | _DECIMAL | _BINARY
_SIZE_FORM = re.compile(rf"(\d+|\d+\.\d+(?=[A-Za-z]))({'|'.join(_SIZES)})", re.ASCII)
_WHOLE_FORM = re.compile(r"-?\d{1,19}", re.ASCII)
_NUMBER_FORM = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


def parse_size(text: str) -> float:
    """Turn `512`, `10MB` (decimal) or `1.5GiB` (binary) into bytes; `kB` and `KB` are one.

    Raises ValueError with a sentence when the text is not a size.
    """
    found = _SIZE_FORM.fullmatch(text)
    if found is None:
        message = f'must be a size such as "512", "10MB" or "1.5GiB" (got "{text}")'
        raise ValueError(message)
    return float(found[1]) * _SIZES[found[2]]


def format_size(size: float) -> str:
    """Say a size: `812 bytes`, `16 KiB` where that is exact, else `1.5 MB`, `523 MB`."""
    for unit, factor in _BINARY.items():
        count, rest = divmod(size, factor)
        if not rest and 0 < count < 1_024:
            return f"{count:.0f} {unit}"
    if size < 1_000:
        return f"{_plain(size)} {'byte' if size == 1 else 'bytes'}"
    unit = next((unit for unit, factor in _DECIMAL.items() if size < 999.5 * factor), "TB")
    count = size / _DECIMAL[unit]
    return f"{count:.2g} {unit}" if count < 9.95 else f"{count:.0f} {unit}"


def _whole(text: str) -> int:
    if not _WHOLE_FORM.fullmatch(text):
        raise ValueError
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER_FORM.fullmatch(text):
        raise ValueError
    return _whole(text) if _WHOLE_FORM.fullmatch(text) else float(text)


def _plain(number: float) -> str:
    whole = isinstance(number, int) or (number.is_integer() and abs(number) < 1e15)
    return str(int(number)) if whole else f"{number:.6g}"


# ---- What can be asserted ------------------------------------------------------------------------


class _Measure(NamedTuple):
    """A kind of number. `exactly`: how to say two values that `say` rounds to the same words."""

    name: str
    example: str
    read: Callable[[str], float]
    say: Callable[[float], str]
    exactly: Callable[[float], str]
    operators: tuple[str, ...] = tuple(_COMPARISONS)


class _Text(NamedTuple):
    """A kind of text. `bare`: one word of it needs no quotes."""

    operators: tuple[str, ...] = (*_EQUALITIES, *_SEARCHES)
    bare: bool = False


class _Subject(NamedTuple):
    """What an assertion is about. `was`: what to say of a number that was seen."""

    of: Callable[[Run], float | str | None]
    kind: _Measure | _Text
    missing: str
    was: str = ""


def _seconds(seconds: float) -> str:
    return f"{seconds:.10g} s"


def _bytes(size: float) -> str:
    return f"{size:.15g} bytes"


def _lines(count: float) -> str:
    return plural(int(count), "line")


_DURATION = _Measure(
    "a duration (s, m, h, d, ms)", "1h30m", parse_duration, format_duration, _seconds
)
_SIZE = _Measure(
    "a size (bytes, kB, MB, GB, TB, KiB, MiB, GiB, TiB)", "10MB", parse_size, format_size, _bytes
)
_WHOLE = _Measure("a whole number", "3", _whole, _plain, _plain)
_LINES = _Measure("a whole number", "3", _whole, _lines, _plain)
_NUMBER = _Measure("a number", "0.5", _number, _plain, repr)
_WORD = _Text(bare=True)
_OUTPUT = _Text(operators=_SEARCHES)


def _rss_bytes(run: Run) -> float | None:
    return None if run.max_rss_kb is None else run.max_rss_kb * 1_024  # getrusage(2): in KiB


def _signal(run: Run) -> str | None:
    return None if run.signal is None else _signal_name(run.signal)


def _signal_name(word: str) -> str:
    """Give TERM, sigterm and SIGTERM one name."""
    name = word.upper()
    return name if name.startswith("SIG") or not name[:1].isalpha() else f"SIG{name}"


_SUBJECTS = {
    "status": _Subject(attrgetter("status"), _WORD, "no status was reported"),
    "exit_code": _Subject(
        attrgetter("exit_code"), _WHOLE, "no exit code was reported", "exit code {}"
    ),
    "signal": _Subject(_signal, _WORD, "no signal was reported"),
    "duration": _Subject(attrgetter("duration_s"), _DURATION, "no duration is known", "ran {}"),
    "cpu": _Subject(attrgetter("cpu_s"), _DURATION, "no CPU time is known", "used {} of CPU time"),
    "max_rss": _Subject(
        _rss_bytes, _SIZE, "no peak of memory is known", "used {} of memory at its peak"
    ),
    "output": _Subject(attrgetter("output_tail"), _OUTPUT, "no output was kept"),
    "output_tail": _Subject(attrgetter("output_tail"), _OUTPUT, "no output was kept"),
    "output_lines": _Subject(
        attrgetter("output_lines"), _LINES, "no count of lines was reported", "printed {}"
    ),
    "output_bytes": _Subject(
        attrgetter("output_bytes"), _SIZE, "no count of bytes was reported", "printed {}"
    ),
    "error": _Subject(attrgetter("error"), _Text(), "no error was reported"),
}
_METRIC = re.compile(r"metric\.([\w.:/-]+)")


def _subject(name: str) -> _Subject | None:
    if (metric := _METRIC.fullmatch(name)) is None:
        return _SUBJECTS.get(name)
    named = metric[1]
    return _Subject(
        lambda run: (run.metrics or {}).get(named),
        _NUMBER,
        f"no metric {named} was reported",
        f"metric {named} was {{}}",
    )


# ---- Reading -------------------------------------------------------------------------------------

_NAME = re.compile(r"[^\s=!<>~]+")
_SIGN = re.compile(r"[=!<>~]+|[^\s'\"/=!<>~]+")
_REST = re.compile(r".+", re.DOTALL)
_QUOTED = re.compile(r"""(['"])((?:(?!\1)[^\\]|\\.)*)\1""", re.DOTALL)
_SLASHED = re.compile(r"/((?:[^/\\]|\\.)*)/(\w*)", re.DOTALL)
_BARE = re.compile(r"[^\s'\"/]\S*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}


@lru_cache(maxsize=4_096)
def parse(text: str) -> Expectation:
    """Read an assertion. Raises ExpectError with the column and what is wrong there."""
    _check_characters(text)
    name, at = _part(_NAME, text, 0)
    subject = _known(name, at + 1)
    sign, at = _part(_SIGN, text, at + len(name))
    _check_operator(name, subject.kind.operators, sign, at + 1)
    value, at = _part(_REST, text, at + len(sign))
    wanted, pattern = _wanted(subject.kind, sign, value.rstrip(), at + 1)
    if name == "signal" and sign in _EQUALITIES:
        wanted = _signal_name(str(wanted))
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


def _known(name: str, column: int) -> _Subject:
    subject = _subject(name)
    if subject is not None:
        return subject
    if not name:
        raise ExpectError(column, "a subject is missing, such as duration")
    if name.startswith("metric."):
        raise ExpectError(column, "metric. takes a name of letters, digits and _ . : / -")
    close = difflib.get_close_matches(name.lower(), [*_SUBJECTS, "metric.NAME"], n=1)
    right = f"did you mean {close[0]}?" if close else f"use {', '.join(_SUBJECTS)} or metric.NAME"
    raise ExpectError(column, f"{_shown(name)} is not a subject: {right}")


def _check_operator(name: str, fitting: tuple[str, ...], sign: str, column: int) -> None:
    if sign in fitting:
        return
    if not sign:
        raise ExpectError(column, f"an operator is missing: {name} takes {' '.join(fitting)}")
    wrong = f"does not fit {name}" if sign in _OPERATORS else "is not an operator"
    raise ExpectError(column, f"{_shown(sign)} {wrong}: {name} takes {' '.join(fitting)}")


def _wanted(
    kind: _Measure | _Text, sign: str, value: str, column: int
) -> tuple[float | str, _Pattern | None]:
    if isinstance(kind, _Measure):
        return _measure(kind, sign, value, column), None
    if sign in _PATTERNS:
        return _slashed(sign, value, column)
    return _text(kind, sign, value, column), None


def _measure(kind: _Measure, sign: str, value: str, column: int) -> float:
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


def _read(kind: _Measure, text: str) -> float | None:
    try:
        return kind.read(text)
    except ValueError:
        return None


def _check_end(value: str, end: int, column: int) -> None:
    rest = value[end:].lstrip()
    if rest:
        at = column + len(value) - len(rest)
        raise ExpectError(at, f"{_shown(rest)} is left over: one string holds one assertion")


def _text(kind: _Text, sign: str, value: str, column: int) -> str:
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


def _slashed(sign: str, value: str, column: int) -> tuple[str, _Pattern]:
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


def _compiled(source: str, flag: str, column: int) -> _Pattern:
    """Compile a pattern. `column`: where its source begins."""
    flags = f"(?m{flag})"
    try:
        pattern: _Pattern = re2.compile((flags + source).encode(), options=_RE2_OPTIONS)
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


# ---- Judging -------------------------------------------------------------------------------------


class _Outcome(msgspec.Struct):
    """What the wrapper adds to a line about the output that it kept."""

    output_cut: bool | None = None


def evaluate(expectation: Expectation, run: Run) -> Finding:
    """Say whether an assertion holds for a run that has ended.

    One whose subject is missing does not hold; nor does one that says what the output lacks, if the
    output was not wholly kept, unless it is written for `output_tail`.
    """
    subject = _known(expectation.subject, 1)
    value = subject.of(run)
    if value is None:
        return _missing(expectation, subject, run)
    if isinstance(subject.kind, _Measure):
        return _compared(expectation, subject.kind, subject.was, value)
    text = str(value)
    if subject.kind is _OUTPUT:
        kept = _kept_part(run, text) if expectation.subject == "output" else None
        return _searched_output(expectation, text, kept)
    if expectation.operator in _EQUALITIES:
        return _equal(expectation, text)
    seen = quoted(text)
    found = _find(expectation, text) is not None
    return _searched(expectation, f"{expectation.subject} {seen}", seen, found=found)


def _missing(expectation: Expectation, subject: _Subject, run: Run) -> Finding:
    aside = ""
    if expectation.subject == "exit_code" and run.signal is not None:
        aside = f" (killed by {quoted(run.signal, 20)[1:-1]})"
    if subject.kind is _OUTPUT and run.output_bytes:
        aside = f" of {format_size(run.output_bytes)}"
    sentence = f"{subject.missing}{aside}, expected {_wish(expectation, subject.kind)}"
    return Finding(holds=False, sentence=sentence, seen="nothing")


def _wish(expectation: Expectation, kind: _Measure | _Text) -> str:
    sign, wanted = expectation.operator, expectation.wanted
    if isinstance(kind, _Measure) and not isinstance(wanted, str):
        return _COMPARISONS[sign][1] + kind.say(wanted)
    if sign in _EQUALITIES:
        return _COMPARISONS[sign][1] + quoted(str(wanted))
    return f"{'output' if kind is _OUTPUT else 'one'} that {_claim(expectation)}"


def _claim(expectation: Expectation) -> str:
    """Say what the text does if the assertion holds."""
    words = {"=~": "matches", "!~": "does not match"}
    return f"{words.get(expectation.operator, expectation.operator)} {_sought(expectation)}"


def _sought(expectation: Expectation) -> str:
    """Show a text in quotes, a pattern in its slashes."""
    shown = quoted(str(expectation.wanted))
    return shown if expectation.pattern is None else shown[1:-1]


def _equal(expectation: Expectation, text: str) -> Finding:
    sign, seen = expectation.operator, quoted(text)
    holds = (text == expectation.wanted) == (sign == "==")
    wish = _COMPARISONS[sign][1] + quoted(str(expectation.wanted))
    return Finding(
        holds=holds, sentence=f"{expectation.subject} {seen}, expected {wish}", seen=seen
    )


def _compared(expectation: Expectation, kind: _Measure, was: str, value: float | str) -> Finding:
    wanted = expectation.wanted
    if isinstance(wanted, str) or isinstance(value, str) or not math.isfinite(value):
        seen = quoted(str(value))
        return Finding(holds=False, sentence=f"{was.format(seen)}, which is no number", seen=seen)
    test, words = _COMPARISONS[expectation.operator]
    alike = value != wanted and kind.say(value) == kind.say(wanted)
    say = kind.exactly if alike else kind.say
    sentence = f"{was.format(say(value))}, expected {words}{say(wanted)}"
    return Finding(holds=test(value, wanted), sentence=sentence, seen=say(value))


def _searched(
    expectation: Expectation, label: str, seen: str, *, found: bool, where: str = ""
) -> Finding:
    forms = ("contains", "does not contain")
    if expectation.pattern is not None:
        forms = ("matches", "does not match")
    unwanted = expectation.operator in _NEGATIONS
    sentence = f"{label} {forms[not found]} {_sought(expectation)}{where}"
    if found and unwanted:
        sentence += ", which it must not"
    return Finding(holds=found != unwanted, sentence=sentence, seen=seen)


def _searched_output(expectation: Expectation, text: str, part: str | None) -> Finding:
    """Look into the output. `part`: what was kept of it, in words; None: all that is asked for."""
    span = _find(expectation, text, cut=part is not None)
    label = expectation.subject + (f" ({part})" if part else "")
    if span is not None:
        line = quoted(_line_around(text, *span))
        where = "" if line == _sought(expectation) else f" in {line}"
        return _searched(expectation, label, line, found=True, where=where)
    if part and expectation.operator in _NEGATIONS:
        sentence = f"saw {part}, too little to say that it {_claim(expectation)}"
        return Finding(holds=False, sentence=sentence, seen=part)
    seen = part or format_size(_length(text))
    return _searched(expectation, label, seen, found=False)


def _find(expectation: Expectation, text: str, *, cut: bool = False) -> tuple[int, int] | None:
    """Find where a text or a pattern stands. `cut`: what came before the text is not known."""
    if expectation.pattern is None:
        wanted = str(expectation.wanted)
        at = text.find(wanted)
        return None if at < 0 else (at, at + len(wanted))
    # The byte before it keeps ^, \A and \b from taking the cut for a beginning.
    data = b"_" * cut + text.encode(errors="replace")
    match = expectation.pattern.search(data, int(cut))
    if match is None:
        return None
    begin, end = (len(data[cut:at].decode(errors="replace")) for at in match.span())
    return begin, end


def _line_around(text: str, begin: int, end: int) -> str:
    """Give the line in which something stands, from shortly before it on."""
    line = text.rfind("\n", 0, begin) + 1
    stop = text.find("\n", end)
    return text[max(line, begin - 20) : len(text) if stop < 0 else stop]


def _kept_part(run: Run, tail: str) -> str | None:
    """Say which part of a run's output was kept, or give None when it was all.

    The wrapper says so itself, since taking out secrets changes a length; other writers give the
    length of the whole. Whoever wrote it, a tail of 16 KiB may have been cut when it was read (and
    be some bytes shorter, if that went through a character).
    """
    kept, total = _length(tail), run.output_bytes or 0
    told = _told_cut(run.extra)
    if not told and (total <= kept or (told is False and kept < MAX_TAIL_BYTES - 3)):
        return None
    return f"the last {format_size(kept)} of {format_size(total) if total > kept else 'more'}"


def _told_cut(extra: str | None) -> bool | None:
    if extra is None:
        return None
    try:
        return msgspec.json.decode(extra, type=_Outcome).output_cut
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _length(text: str) -> int:
    return len(text.encode(errors="replace"))
