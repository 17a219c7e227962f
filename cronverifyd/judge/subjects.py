"""What an assertion can be about, and the operators that fit it."""

from __future__ import annotations

import operator
import re
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from cronverifyd.judge.duration import format_duration, parse_duration
from cronverifyd.judge.size import format_size, parse_size
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronverifyd.model import Run

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "==": (operator.eq, ""),
    "!=": (operator.ne, "anything but "),
    "<": (operator.lt, "less than "),
    "<=": (operator.le, "at most "),
    ">": (operator.gt, "more than "),
    ">=": (operator.ge, "at least "),
}
EQUALITIES = ("==", "!=")
PATTERNS = ("=~", "!~")
SEARCHES = ("contains", "lacks", *PATTERNS)
NEGATIONS = ("lacks", "!~")
OPERATORS = (*COMPARISONS, *SEARCHES)

_WHOLE_FORM = re.compile(r"-?\d{1,19}", re.ASCII)
_NUMBER_FORM = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


class Quantity(NamedTuple):
    """A kind of number. `exactly`: how to say two values that `say` rounds to the same words."""

    name: str
    example: str
    read: Callable[[str], float]
    say: Callable[[float], str]
    exactly: Callable[[float], str]
    operators: tuple[str, ...] = tuple(COMPARISONS)


class Text(NamedTuple):
    """A kind of text. `bare`: one word of it needs no quotes."""

    operators: tuple[str, ...] = (*EQUALITIES, *SEARCHES)
    bare: bool = False


class Subject(NamedTuple):
    """What an assertion is about. `was`: what to say of a number that was seen."""

    of: Callable[[Run], float | str | None]
    kind: Quantity | Text
    missing: str
    was: str = ""


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


def _seconds(seconds: float) -> str:
    return f"{seconds:.10g} s"


def _bytes(size: float) -> str:
    return f"{size:.15g} bytes"


def _lines(count: float) -> str:
    return plural(int(count), "line")


_DURATION = Quantity(
    "a duration (s, m, h, d, ms)", "1h30m", parse_duration, format_duration, _seconds
)
_SIZE = Quantity(
    "a size (bytes, kB, MB, GB, TB, KiB, MiB, GiB, TiB)", "10MB", parse_size, format_size, _bytes
)
_WHOLE = Quantity("a whole number", "3", _whole, _plain, _plain)
_LINES = Quantity("a whole number", "3", _whole, _lines, _plain)
_NUMBER = Quantity("a number", "0.5", _number, _plain, repr)
_WORD = Text(bare=True)
OUTPUT = Text(operators=SEARCHES)


def _rss_bytes(run: Run) -> float | None:
    return None if run.max_rss_kb is None else run.max_rss_kb * 1_024  # getrusage(2): in KiB


def _signal(run: Run) -> str | None:
    return None if run.signal is None else signal_name(run.signal)


def signal_name(word: str) -> str:
    """Give TERM, sigterm and SIGTERM one name."""
    name = word.upper()
    return name if name.startswith("SIG") or not name[:1].isalpha() else f"SIG{name}"


SUBJECTS = {
    "status": Subject(attrgetter("status"), _WORD, "no status was reported"),
    "exit_code": Subject(
        attrgetter("exit_code"), _WHOLE, "no exit code was reported", "exit code {}"
    ),
    "signal": Subject(_signal, _WORD, "no signal was reported"),
    "duration": Subject(attrgetter("duration_s"), _DURATION, "no duration is known", "ran {}"),
    "cpu": Subject(attrgetter("cpu_s"), _DURATION, "no CPU time is known", "used {} of CPU time"),
    "max_rss": Subject(
        _rss_bytes, _SIZE, "no peak of memory is known", "used {} of memory at its peak"
    ),
    "output": Subject(attrgetter("output_tail"), OUTPUT, "no output was kept"),
    "output_tail": Subject(attrgetter("output_tail"), OUTPUT, "no output was kept"),
    "output_lines": Subject(
        attrgetter("output_lines"), _LINES, "no count of lines was reported", "printed {}"
    ),
    "output_bytes": Subject(
        attrgetter("output_bytes"), _SIZE, "no count of bytes was reported", "printed {}"
    ),
    "error": Subject(attrgetter("error"), Text(), "no error was reported"),
}
_METRIC = re.compile(r"metric\.([\w.:/-]+)")


def subject_of(name: str) -> Subject | None:
    """Find a subject by its name, `metric.NAME` included; None: there is no such subject."""
    if (metric := _METRIC.fullmatch(name)) is None:
        return SUBJECTS.get(name)
    named = metric[1]
    return Subject(
        lambda run: (run.metrics or {}).get(named),
        _NUMBER,
        f"no metric {named} was reported",
        f"metric {named} was {{}}",
    )
