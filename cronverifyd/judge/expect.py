"""Whether an assertion holds for a run, in words (assertions.py says how they are written)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cronverifyd.judge.assertions import Expectation, ExpectError, known_subject, parse
from cronverifyd.judge.outcome import MAX_TAIL_BYTES
from cronverifyd.judge.size import format_size
from cronverifyd.judge.subjects import (
    COMPARISONS,
    EQUALITIES,
    NEGATIONS,
    OUTPUT,
    Quantity,
    Subject,
    Text,
)
from cronverifyd.judge.wording import quoted

if TYPE_CHECKING:
    from cronverifyd.model import Run

__all__ = ["ExpectError", "Expectation", "Finding", "evaluate", "parse"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Whether an assertion holds, in a sentence, and the value that it saw."""

    holds: bool
    sentence: str
    seen: str


class _Outcome(msgspec.Struct):
    """What the wrapper adds to a line about the output that it kept."""

    output_cut: bool | None = None


def evaluate(expectation: Expectation, run: Run) -> Finding:
    """Say whether an assertion holds for a run that has ended.

    One whose subject is missing does not hold; nor does one that says what the output lacks, if the
    output was not wholly kept, unless it is written for `output_tail`.
    """
    subject = known_subject(expectation.subject, 1)
    value = subject.of(run)
    if value is None:
        return _missing(expectation, subject, run)
    if isinstance(subject.kind, Quantity):
        return _compared(expectation, subject.kind, subject.was, value)
    text = str(value)
    if subject.kind is OUTPUT:
        kept = _kept_part(run, text) if expectation.subject == "output" else None
        return _searched_output(expectation, text, kept)
    if expectation.operator in EQUALITIES:
        return _equal(expectation, text)
    seen = quoted(text)
    found = _find(expectation, text) is not None
    return _searched(expectation, f"{expectation.subject} {seen}", seen, found=found)


def _missing(expectation: Expectation, subject: Subject, run: Run) -> Finding:
    aside = ""
    if expectation.subject == "exit_code" and run.signal is not None:
        aside = f" (killed by {quoted(run.signal, 20)[1:-1]})"
    if subject.kind is OUTPUT and run.output_bytes:
        aside = f" of {format_size(run.output_bytes)}"
    sentence = f"{subject.missing}{aside}, expected {_wish(expectation, subject.kind)}"
    return Finding(holds=False, sentence=sentence, seen="nothing")


def _wish(expectation: Expectation, kind: Quantity | Text) -> str:
    sign, wanted = expectation.operator, expectation.wanted
    if isinstance(kind, Quantity) and not isinstance(wanted, str):
        return COMPARISONS[sign][1] + kind.say(wanted)
    if sign in EQUALITIES:
        return COMPARISONS[sign][1] + quoted(str(wanted))
    return f"{'output' if kind is OUTPUT else 'one'} that {_claim(expectation)}"


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
    wish = COMPARISONS[sign][1] + quoted(str(expectation.wanted))
    return Finding(
        holds=holds, sentence=f"{expectation.subject} {seen}, expected {wish}", seen=seen
    )


def _compared(expectation: Expectation, kind: Quantity, was: str, value: float | str) -> Finding:
    wanted = expectation.wanted
    if isinstance(wanted, str) or isinstance(value, str) or not math.isfinite(value):
        seen = quoted(str(value))
        return Finding(holds=False, sentence=f"{was.format(seen)}, which is no number", seen=seen)
    test, words = COMPARISONS[expectation.operator]
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
    unwanted = expectation.operator in NEGATIONS
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
    if part and expectation.operator in NEGATIONS:
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
