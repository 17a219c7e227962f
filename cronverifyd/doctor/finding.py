"""What the doctor says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. bad: jobs go unverified, or somebody gets in; warning: it may come to that."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One sentence about one thing.

    `check`: the subject, a word. `remedy`: what to paste into a shell, or to set in the
    configuration; None: nothing is to be done.
    """

    check: str
    level: Level
    text: str
    remedy: str | None = None


def ok(check: str, text: str) -> Finding:
    """Say that a thing is as it should be."""
    return Finding(check=check, level=Level.OK, text=text)


def warning(check: str, text: str, remedy: str | None = None) -> Finding:
    """Say that a thing may do harm."""
    return Finding(check=check, level=Level.WARNING, text=text, remedy=remedy)


def bad(check: str, text: str, remedy: str | None = None) -> Finding:
    """Say that a thing does harm."""
    return Finding(check=check, level=Level.BAD, text=text, remedy=remedy)
