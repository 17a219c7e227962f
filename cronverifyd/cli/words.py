"""How verdicts and what jobs say look in a terminal."""

from __future__ import annotations

from cronverifyd.report.words import LETTERS, ago, instant, recent, roughly, slot
from cronverifyd.tell.text import one_line

__all__ = ["LEGEND", "LETTERS", "STYLES", "ago", "instant", "recent", "roughly", "safe", "slot"]

STYLES = {
    "ok": "green",
    "late": "yellow",
    "pending": "dim",
    "missed": "bold red",
    "failed": "bold red",
    "overrun": "bold red",
    "interrupted": "bold red",
    "unmet": "bold red",
    "artifact": "bold red",
    "unknown": "bold magenta",
}
_WORDS = "  ".join(f"{letter} {verdict}" for verdict, letter in LETTERS.items())
LEGEND = f"strip, oldest first: {_WORDS}"


def safe(text: str | None, most: int = 400) -> str:
    """Make a job's own text fit for a terminal: one line, no control characters."""
    return one_line(text or "", most)
