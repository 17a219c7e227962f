"""A line of the outcome file becomes an event, or an error that says why it is none.

Anything may write such a line, so nothing is believed: each known key has a check, and whatever
gets past them fits into a datetime, a 64-bit integer and a UTF-8 text.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cronverifyd.errors import OutcomeError
from cronverifyd.model import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE_BYTES = 64 * 1024
MAX_TAIL_BYTES = 16 * 1024

_BOM = b"\xef\xbb\xbf"
_MAX_INT = 2**63 - 1  # what an INTEGER of SQLite holds
_MAX_DURATION_S = 1e9  # 31 years: an instant minus it is still a date
_MAX_DEPTH = 32
_MAX_SHOWN = 60

_NUMBERS = frozenset({int, float})  # a bool is an int to isinstance, not here

# The year 9999 is left out, so that every zone can show every instant.
_YEARS = range(1970, 9999)
_LAST_EPOCH_S = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_INSTANT_RULE = "must be RFC 3339 such as 2024-05-15T13:00:00+02:00, or seconds since 1970"

_JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_KINDS = {kind.value: kind for kind in EventKind}
_STARTING = frozenset({"running", "pending"})

# RFC 8259 section 8.2 leaves open what a reader does with half a surrogate pair. Python's own json
# writes them for bytes that were not UTF-8, msgspec refuses them, and SQLite cannot store them. The
# first two alternatives step over an escaped backslash and over a whole pair.
_HALF_PAIR = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def decode(line: bytes) -> Event:
    r"""Read one line, with or without its newline, a CR before it or a byte order mark.

    null is an absent key, and so is an empty string (but for `output_tail`): a shell script whose
    variable was empty. Unknown keys are kept in `extra`. A longer `output_tail` is cut to its last
    16 KiB rather than losing how the job ended. Escaped halves of surrogate pairs become U+FFFD.
    Raises OutcomeError with the key, what is wrong and what was got.
    """
    raw = _object(line)
    for alias, key in _ALIASES.items():
        if raw.get(key) is not None:
            raw.pop(alias, None)
    fields, extra = _checked(raw)
    if "job" not in fields:
        raise OutcomeError("job: required, the name of the job")
    fields.pop("v", None)
    kind = fields.pop("kind", None) or _kind(fields)
    if kind is EventKind.FINISH and "status" not in fields:
        fields["status"] = _status(fields)
    _cut_tail(fields)
    return Event(kind=kind, extra=_kept(extra), **fields)


def _object(line: bytes) -> dict[str, Any]:
    line = line.rstrip(b"\r\n").removeprefix(_BOM)
    if len(line) > MAX_LINE_BYTES:
        raise OutcomeError(f"is longer than {MAX_LINE_BYTES} bytes (got {len(line)})")
    try:
        raw = _json(line)
    except UnicodeDecodeError as error:
        raise OutcomeError(f"is not UTF-8: {error.reason}") from None
    except msgspec.DecodeError as error:
        raise OutcomeError(f"is not JSON: {error}") from None
    except RecursionError:
        raise OutcomeError("is nested too deeply") from None
    if not isinstance(raw, dict):
        raise OutcomeError(f"must be a JSON object (got {_shown(raw)})")
    return raw


def _json(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:
        mended = _HALF_PAIR.sub(lambda found: found[1] or rb"\ufffd", line)
        if mended == line:
            raise
    return msgspec.json.decode(mended)


def _checked(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an object into the checked fields of an Event and the keys that nobody knows."""
    fields: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    key, value = "", None
    try:
        for key, value in raw.items():
            if value is None or (value == "" and key != "output_tail"):
                continue
            known = _KEYS.get(key)
            if known is None:
                extra[key] = value
            else:
                fields[known[0]] = known[1](value)
    except ValueError as error:
        raise OutcomeError(f"{key}: {error} (got {_shown(value)})") from None
    return fields, extra


def _kind(fields: dict[str, Any]) -> EventKind:
    return EventKind.START if fields.get("status") in _STARTING else EventKind.FINISH


def _status(fields: dict[str, Any]) -> str:
    """Say how a run ended whose finish bears no status.

    A signal or another exit code than 0 is a failure; so is an error with no exit code.
    """
    if "signal" in fields or fields.get("exit_code"):
        return "failed"
    if "exit_code" in fields:
        return "success"
    if "error" in fields:
        return "failed"
    raise OutcomeError("does not say how the run ended: give a status, or an exit_code or signal")


def _cut_tail(fields: dict[str, Any]) -> None:
    """Keep the end of the output that fits; `output_bytes` then shows that there was more."""
    tail = fields.get("output_tail", "").encode()
    if len(tail) > MAX_TAIL_BYTES:
        fields.setdefault("output_bytes", len(tail))
        fields["output_tail"] = tail[-MAX_TAIL_BYTES:].decode(errors="ignore")


def _kept(extra: dict[str, Any]) -> str | None:
    if not extra:
        return None
    for key, value in extra.items():
        if _deeper(value, _MAX_DEPTH):
            raise OutcomeError(f"{_shown(key)}: is nested more than {_MAX_DEPTH} levels deep")
    return msgspec.json.encode(extra).decode()


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper(each, levels - 1) for each in inner)


def _shown(value: Any) -> str:
    """Show a value as it stood in the line, shortened; of a container only what it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


# ---- Checks: a JSON value that is not null → what the Event holds, or ValueError with the rule ---


def _version(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("must be the format version, 1")
    if value > 1:
        raise ValueError("the line is of a newer format than this cronverifyd reads, 1")
    return value


def _job(value: Any) -> str:
    if not isinstance(value, str) or not _JOB.fullmatch(value):
        raise ValueError(
            "must be a job name: a letter or digit, then at most 99 letters, digits, '.', '_', '-'"
        )
    return value


def _event(value: Any) -> EventKind:
    kind = _KINDS.get(value) if isinstance(value, str) else None
    if kind is None:
        raise ValueError('must be "start" or "finish"')
    return kind


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - a ValueError says what is wrong
    return value


def _short(limit: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit:
            raise ValueError(f"must be a string of at most {limit} characters")
        return value

    return check


def _whole(low: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= _MAX_INT:
            raise ValueError("must be a whole number" + (" of 0 or more" if low == 0 else ""))
        return value

    return check


def _measure(high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if type(value) not in _NUMBERS or not 0 <= value <= high:
            raise ValueError(f"must be a number from 0 to {high:g}")
        return float(value)

    return check


def _metrics(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError("must be an object of numbers")  # noqa: TRY004 - see _text
    for name, number in value.items():
        if number is not None and not _is_number(number):
            raise ValueError(f"{_shown(name)} must be a finite number, not {_shown(number)}")
    return {name: number for name, number in value.items() if number is not None}


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return abs(value) <= _MAX_INT
    return type(value) is float and math.isfinite(value)


def _instant(value: Any) -> datetime:
    if type(value) in _NUMBERS:
        if not 0 <= value < _LAST_EPOCH_S:
            raise ValueError("must be seconds since 1970, of a year up to 9998")
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        raise ValueError(_INSTANT_RULE)  # noqa: TRY004 - see _text
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(_INSTANT_RULE) from None
    if read.tzinfo is None:
        raise ValueError("must bear an offset such as Z or +02:00: whose clock is it?")
    if read.year not in _YEARS:
        raise ValueError("must lie in the years 1970 to 9998")
    return read.astimezone(UTC)


def _day(value: Any) -> date:
    wrong = "must be a day such as 2024-05-15, in the years 1970 to 9998"
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError(wrong)
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError(wrong) from None
    if day.year not in _YEARS:
        raise ValueError(wrong)
    return day


_COUNT = _whole(0)

# key of the line → field of the Event, and its check
_KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "v": ("v", _version),
    "job": ("job", _job),
    "job_name": ("job", _job),
    "event": ("kind", _event),
    "run": ("run", _short(64)),
    "at": ("at", _instant),
    "completed_at": ("at", _instant),
    "started_at": ("started_at", _instant),
    "slot": ("slot", _instant),
    "run_date": ("run_date", _day),
    "status": ("status", _short(40)),
    "exit_code": ("exit_code", _whole(-_MAX_INT)),
    "signal": ("signal", _text),
    "error": ("error", _text),
    "error_message": ("error", _text),
    "duration_s": ("duration_s", _measure(_MAX_DURATION_S)),
    "cpu_s": ("cpu_s", _measure(_MAX_DURATION_S)),
    "max_rss_kb": ("max_rss_kb", _measure(_MAX_INT)),
    "metrics": ("metrics", _metrics),
    "output_tail": ("output_tail", _text),
    "output_bytes": ("output_bytes", _COUNT),
    "output_lines": ("output_lines", _COUNT),
    "host": ("host", _text),
    "user": ("user", _text),
    "uid": ("uid", _COUNT),
    "pid": ("pid", _COUNT),
    "pid_start": ("pid_start", _COUNT),
    "wrapper_pid": ("wrapper_pid", _COUNT),
    "boot": ("boot", _text),
    "command": ("command", _text),
}
_ALIASES = {"job_name": "job", "completed_at": "at", "error_message": "error"}
