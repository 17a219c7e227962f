"""From one TOML value to one of ours, or to the sentences that say why not.

A reader raises RefusedError and nothing else. What may be a secret is never shown.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cronverifyd.config.locate import Keys
from cronverifyd.judge.duration import parse_duration
from cronverifyd.judge.expect import ExpectError
from cronverifyd.judge.expect import parse as parse_assertion
from cronverifyd.judge.size import parse_size
from cronverifyd.model import MaintenanceMode, Secret, Severity, Tls

Reader = Callable[[Any], Any]
Fault = tuple[Keys, str]

_LONGEST_S = 366 * 86_400.0
_MOST = 1_000
_LONGEST_USER = 256  # LOGIN_NAME_MAX of Linux
_LARGEST = 2**63 - 1  # number of TOML, and size of a file (off_t)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SOURCES = ("credential", "env", "file")


class RefusedError(Exception):
    """A value that cannot be used; `faults`: pairs of the keys inside it and a sentence."""

    def __init__(self, what: str = "", *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(what)
        self.faults: tuple[Fault, ...] = tuple(faults) or (((), what),)


def got(value: Any) -> str:
    """Show a value as it would be written in the file, in brackets; long ones are cut."""
    if isinstance(value, str):
        cut = value if len(value) <= 60 else value[:59] + "…"
        return f"(got {quoted(cut)})"
    if isinstance(value, bool):
        return f"(got {str(value).lower()})"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= _LARGEST):
        return f"(got {value})"
    return f"(got {kind(value)})"


def kind(value: Any) -> str:
    """Name the type of a value, for where the value itself may be a secret."""
    kinds = {str: "a text", bool: "true or false", int: "a number", float: "a number"}
    kinds |= {list: "a list", dict: "a table", type(None): "null"}
    return kinds.get(type(value), "a date or time")


def quoted(text: str) -> str:
    """Quote a text as TOML and JSON do; where it is not printable, by its character codes."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give ` (did you mean "…"?)` where a known word is close, else nothing."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f' (did you mean "{by_lower[close[0]]}"?)' if close else ""


def name(value: str) -> str:
    """Read the name of a job or a channel."""
    if not _NAME.fullmatch(value):
        raise RefusedError(
            "a name must begin with a letter or a digit, and have only letters, digits, dots, "
            "dashes and underscores, 100 at most"
        )
    return value


def text(value: Any) -> str:
    """Read a text of one line that is not empty."""
    if not isinstance(value, str):
        raise RefusedError(f"must be a text in quotes {got(value)}")
    if not value.strip() or not value.isprintable():
        raise RefusedError(f"must be one line of printable text {got(value)}")
    return value


def ascii_text(value: Any) -> str:
    """Read a text of one line that is not empty, and has ASCII only."""
    if not text(value).isascii():
        raise RefusedError(f"must be ASCII {got(value)}")
    return str(value)


def status(value: Any) -> str:
    """Read the status of an outcome, 40 characters at most."""
    if len(text(value)) > 40:
        raise RefusedError(f"must have 40 characters at most {got(value)}")
    return str(value)


def user(value: Any) -> str:
    """Read the name or the number of a user."""
    if text(value) != value.strip() or len(value) > _LONGEST_USER:
        raise RefusedError(f"must be the name or the number of a user {got(value)}")
    return str(value)


def assertion(value: Any) -> str:
    """Read an assertion of `expect`; what is wrong with it is told with its column."""
    try:
        return parse_assertion(text(value)).text
    except ExpectError as error:
        raise RefusedError(f"{error} {got(value)}") from None


def flag(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise RefusedError(f"must be true or false {got(value)}")
    return value


def wait(value: Any) -> float:
    """Read a duration in seconds, zero included, 366 days at most."""
    if text(value).startswith("-"):
        raise RefusedError(f"must not be negative {got(value)}")
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    if seconds > _LONGEST_S:
        raise RefusedError(f"must not be longer than 366d {got(value)}")
    return seconds


def duration(value: Any) -> float:
    """Read a duration in seconds that is more than none, 366 days at most."""
    if text(value).startswith("-") or not wait(value):
        raise RefusedError(f"must be positive {got(value)}")
    return wait(value)


def count(least: int) -> Reader:
    """Make a reader of a whole number of at least so much, 1,000 at most."""

    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= _MOST:
            raise RefusedError(f"must be a whole number from {least} to {_MOST} {got(value)}")
        return value

    return read


def size(value: Any) -> float:
    """Read a size in bytes that is more than none: `10MB`, or a whole number of bytes."""
    found = value if type(value) is int else _written_size(value)
    if found <= 0:
        raise RefusedError(f"must be positive {got(value)}")
    if found > _LARGEST:
        raise RefusedError(f"no file can be that large {got(value)}")
    return float(found)


def part(value: Any) -> float:
    """Read a part of a whole: more than 0, less than 1."""
    if type(value) in {int, float} and 0 < value < 1:
        return float(value)
    percent = type(value) in {int, float} and 1 < value < 100
    hint = f" (did you mean {value / 100:g}?)" if percent else ""
    raise RefusedError(f"must be a number between 0 and 1, such as 0.5 {got(value)}{hint}")


def zone(value: Any) -> str:
    """Read the IANA name of a time zone that this host's database has."""
    try:
        return ZoneInfo(text(value)).key
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder, or far too long
        raise RefusedError(f'unknown time zone "{value}"{_near_zone(value)}') from None


def calendar(value: Any) -> str:
    """Read a schedule of the calendar, which `@reboot` is not; nothing more is checked here."""
    if text(value).strip() == "@reboot":
        raise RefusedError(f'must name times, as "0 2 * * 0" does {got(value)}')
    return str(value)


def one_of(*words: str) -> Reader:
    """Make a reader of one of these words."""

    def read(value: Any) -> str:
        if text(value) not in words:
            known = " or ".join(f'"{word}"' for word in words)
            raise RefusedError(f"must be {known} {got(value)}{did_you_mean(value, words)}")
        return str(value)

    return read


def severity(value: Any) -> Severity:
    """Read how loudly something is told."""
    return Severity(one_of(*Severity)(value))


def mode(value: Any) -> MaintenanceMode:
    """Read what a maintenance window does to the slots in it."""
    return MaintenanceMode(one_of(*MaintenanceMode)(value))


def each(read: Reader) -> Reader:
    """Make a reader of a list that is not empty; it reports the faults of all elements."""

    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise RefusedError(f"must be a list (got {kind(value)})")
        if not value:
            raise RefusedError("must not be empty")
        items, faults = _read_items(read, value)
        if faults:
            raise RefusedError(faults=faults)
        return tuple(items)

    return read_all


def tls(value: Any) -> Tls:
    """Read how a mail server is spoken to."""
    return Tls(one_of(*Tls)(value))


def command(value: Any) -> tuple[str, ...]:
    """Read a program and its arguments, which may be any text that a program can be given."""
    if isinstance(value, str):
        raise RefusedError(
            'must be a list, such as ["/usr/local/bin/page", "ops"]: no shell reads it'
        )
    words: tuple[str, ...] = each(_argument)(value)
    text(words[0])
    return words


def secret(value: Any) -> Secret:
    """Read where a secret is found, or the secret itself; its place is not known here."""
    if isinstance(value, str):
        if not value.strip():
            raise RefusedError("empty secret")
        return Secret(place="", literal=value)
    if not isinstance(value, dict) or not value:
        raise RefusedError('must be a text or a table such as { env = "NAME" }')
    faults = [fault for key in value for fault in _source_faults(key, value[key])]
    if faults:
        raise RefusedError(faults=faults)
    return Secret(place="", **value)


def _read_items(read: Reader, value: Sequence[Any]) -> tuple[list[Any], list[Fault]]:
    items: list[Any] = []
    faults: list[Fault] = []
    for index, found in enumerate(value):
        try:
            items.append(read(found))
        except RefusedError as error:
            faults += [((index, *keys), sentence) for keys, sentence in error.faults]
    return items, faults


def _written_size(value: Any) -> float:
    if not isinstance(value, str):
        raise RefusedError(f'must be a size such as "10MB" {got(value)}')
    if text(value).startswith("-"):
        raise RefusedError(f"must be positive {got(value)}")
    try:
        return parse_size(value)
    except ValueError as error:
        raise RefusedError(str(error)) from None


def _near_zone(word: str) -> str:
    zones = sorted(available_timezones())
    cities = [zone for zone in zones if zone.lower().endswith(f"/{word.lower()}")]
    return did_you_mean(cities[0] if cities else word, zones)


def _argument(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise RefusedError(f"must be a text in quotes {got(value)}")
    return value


def _source_faults(key: str, value: Any) -> list[Fault]:
    """Check one entry of a secret's table; its value may be the secret, by mistake."""
    if key not in _SOURCES:
        return [((key,), f"unknown key{did_you_mean(key, _SOURCES)}")]
    if not isinstance(value, str) or not value or not value.isprintable():
        return [((key,), "must be one line of printable text")]
    if key == "env" and not _ENV_NAME.fullmatch(value):
        return [((key,), "must be the name of an environment variable")]
    if key == "credential" and ("/" in value or value in {".", ".."}):
        return [((key,), "must be the name of a credential, without slashes")]
    return []
