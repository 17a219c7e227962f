"""A configuration file under examination: its values by the schema, its problems by their lines."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cronverifyd.config import readers
from cronverifyd.config.locate import Keys, locate
from cronverifyd.config.readers import Reader, RefusedError, did_you_mean, kind, quoted
from cronverifyd.config.schema import Key, Later, Listed, Named, Part, Table
from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Sheet:
    """Collect what is wrong with one valid TOML document, and what is odd about it.

    `file`: its name as the user gave it.
    """

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._problems: list[tuple[int, str]] = []
        self._warnings: list[tuple[int, str]] = []
        self._at_fault: set[Keys] = set()

    def place(self, keys: Keys) -> str:
        """Name the place of a key: `config.toml:12: jobs.db-backup.grace`."""
        return f"{self._file}:{self._line(keys)}: {dotted(keys)}"

    def problem(self, keys: Keys, sentence: str) -> None:
        """Note what is wrong with a key."""
        self._problems.append((self._line(keys), f"{self.place(keys)}: {sentence}"))
        self._at_fault.update(keys[:end] for end in range(1, len(keys) + 1))

    def warning(self, keys: Keys, sentence: str) -> None:
        """Note what is odd about a key, or about the whole file where there are no keys."""
        place = self.place(keys) if keys else self._file
        self._warnings.append((self._line(keys), f"{place}: {sentence}"))

    def sound(self, keys: Keys) -> bool:
        """Say whether no problem is known of a key and what it contains."""
        return keys not in self._at_fault

    def warnings(self) -> tuple[str, ...]:
        """Give all warnings by their lines."""
        return tuple(sentence for _, sentence in sorted(self._warnings, key=_by_line))

    def raise_problems(self) -> None:
        """Raise one ConfigError with all problems by their lines, if there are any."""
        if self._problems:
            problems = sorted(self._problems, key=_by_line)
            raise ConfigError("\n".join(sentence for _, sentence in problems))

    def read(self, found: Any, table: Table, keys: Keys = ()) -> dict[str, Any]:
        """Read a table by its schema: a value for every key, its default where it has none.

        A value that cannot be used is a problem, and leaves the default in its place.
        """
        if not isinstance(found, dict):
            self.problem(keys, f"must be a table (got {kind(found)})")
            return {key: _nothing(part) for key, part in table.keys.items()}
        for key in found:
            if key not in table.keys:
                self.problem((*keys, key), f"unknown key{did_you_mean(key, table.keys)}")
        return {key: self._part(found, part, (*keys, key)) for key, part in table.keys.items()}

    def _part(self, table: Mapping[Any, Any], part: Part, keys: Keys) -> Any:
        key = keys[-1]
        if isinstance(part, Later):
            return self.problem(keys, "not yet supported") if key in table else None
        if isinstance(part, Key):
            return self._value(table, part, keys)
        if isinstance(part, Table):
            return self.read(table.get(key, {}), part, keys)
        if isinstance(part, Listed):
            return self._listed(table[key], part, keys) if key in table else ()
        return self._named(table.get(key, {}), part, keys)

    def _value(self, table: Mapping[Any, Any], key: Key, keys: Keys) -> Any:
        if keys[-1] not in table:
            if key.required:
                self.problem(keys, "missing")
            return key.default
        return self._attempt(key.read, table[keys[-1]], keys, key.default)

    def _named(self, found: Any, named: Named, keys: Keys) -> dict[str, dict[str, Any]]:
        if not isinstance(found, dict):
            self.problem(keys, f"must be a table (got {kind(found)})")
            return {}
        for name in found:
            self._attempt(readers.name, name, (*keys, name), None)
        return {name: self.read(inner, named.table, (*keys, name)) for name, inner in found.items()}

    def _listed(self, found: Any, listed: Listed, keys: Keys) -> tuple[dict[str, Any], ...]:
        if not isinstance(found, list):
            hint = f": write [[{dotted(keys)}]]" if isinstance(found, dict) else ""
            self.problem(keys, f"must be a list of tables (got {kind(found)}){hint}")
            return ()
        if not found:
            self.problem(keys, "must not be empty")
        return tuple(
            self.read(inner, listed.table, (*keys, index)) for index, inner in enumerate(found)
        )

    def _attempt(self, read: Reader, found: Any, keys: Keys, default: Any) -> Any:
        try:
            return read(found)
        except RefusedError as error:
            for inner, sentence in error.faults:
                self.problem((*keys, *inner), sentence)
            return default

    @cached_property
    def _lines(self) -> Mapping[Keys, int]:
        return locate(self._text)

    def _line(self, keys: Keys) -> int:
        """Find the line of a key, or of the closest of its parents that the file has."""
        known = (keys[:end] for end in range(len(keys), 0, -1) if keys[:end] in self._lines)
        return self._lines.get(next(known, ()), 1)


def _nothing(part: Part) -> Any:
    """Give what stands for a part of a table that cannot be read."""
    return () if isinstance(part, Listed) else getattr(part, "default", None)


def dotted(keys: Keys) -> str:
    """Write a path as TOML would: `jobs."db.backup".grace`, `cueapi.signing_secrets[1]`."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{_key(key)}" for key in keys]
    return "".join(parts).removeprefix(".")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else quoted(key)


def _by_line(noted: tuple[int, str]) -> int:
    return noted[0]
