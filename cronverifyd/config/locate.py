"""On which line of a TOML file each key stands; tomllib does not say."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Keys = tuple[str | int, ...]

# What can hold a bracket or a newline that means nothing (strings, comments), and what counts. The
# quotes that end a long string may be preceded by two of its own: hence {3,5}.
_TOKEN = re.compile(
    r'''
    """(?:\\.|[^\\])*?"{3,5} | \'\'\'.*?\'{3,5}
    | "(?:\\.|[^"\\\n])*" | '[^'\n]*'
    | \#[^\n]*
    | (?P<open>[\[{]) | (?P<close>[\]}]) | (?P<newline>\n)
    ''',
    re.DOTALL | re.VERBOSE,
)


def locate(text: str) -> Mapping[Keys, int]:
    """Map the path of every key and table of a valid TOML document to its line, from 1.

    A table has the line of its header, or else of the first key that implies it. Elements of an
    array of tables are paths of their own (`("jobs", "a", "artifact", 0)`); what stands inside a
    value has the line on which that value's statement begins.
    """
    lines: dict[Keys, int] = {}
    table: Keys = ()
    elements: dict[Keys, int] = {}
    for line, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(parsed, elements)
            _note(lines, table, line)
            lines[table] = line
            continue
        for keys in _paths(parsed, table):
            _note(lines, keys, line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Cut the document where each header or `key = value` ends, in one pass over the text."""
    text = text.replace("\r\n", "\n") + "\n"
    start, line, depth = 0, 1, 0
    for token in _TOKEN.finditer(text):
        depth += (token["open"] is not None) - (token["close"] is not None)
        if token["newline"] is None or depth:
            continue
        statement = text[start : token.end()]
        if statement.strip() and not statement.lstrip().startswith("#"):
            yield line, statement
        line += statement.count("\n")
        start = token.end()


def _header(parsed: Mapping[str, Any], elements: dict[Keys, int]) -> Keys:
    """Give the path of `[table]` or `[[array]]`, with the indexes of the elements it stands in."""
    keys: Keys = ()
    inner: Any = parsed
    while inner:
        ((key, inner),) = inner.items()
        keys = (*keys, key)
        if isinstance(inner, list):
            elements[keys] = elements.get(keys, -1) + 1
            return (*keys, elements[keys])
        if keys in elements:
            keys = (*keys, elements[keys])
    return keys


def _paths(value: Any, keys: Keys) -> Iterator[Keys]:
    """Walk all paths inside a statement's value."""
    inner: Iterator[tuple[str | int, Any]] | None = None
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for key, item in inner or ():
        yield (*keys, key)
        yield from _paths(item, (*keys, key))


def _note(lines: dict[Keys, int], keys: Keys, line: int) -> None:
    """Remember a path and its parents, each where it is first met."""
    for end in range(1, len(keys) + 1):
        lines.setdefault(keys[:end], line)
