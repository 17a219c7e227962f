"""How long the last runs of a job took, as bars to be drawn.

Places along the line are per cent of the picture's width, so that it fits any screen; heights are
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cronverifyd.judge.duration import format_duration
from cronverifyd.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = 60
HEIGHT = 150
_ROOM = 24
"""Above the highest bar: for the mark of a bad run."""
_LEAST = 2.0
_FAR = 4.0
"""A limit that many times the longest run would press all bars flat: it is said and not drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One run: its place, how it ended, and what it says of itself.

    `height` 0: how long it took is not known. `mark`: a shape for those that were not good.
    """

    left: float
    middle: float
    width: float
    top: float
    height: float
    verdict: str
    mark: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """The picture. `limit_top` None: the limit lies above it. `longest`, `usual`: in words."""

    bars: tuple[Bar, ...]
    height: int
    limit: str
    limit_top: float | None
    longest: str
    usual: str


def chart(slots: Sequence[dict[str, Any]], max_duration_s: float) -> Chart | None:
    """Draw the last runs of a job, and its bad slots without one; None: there is nothing.

    `slots`: of its history, newest first. `max_duration_s`: how long a run may take.
    """
    runs = [(slot, run) for slot in slots for run in _drawn(slot)][:RUNS][::-1]
    if not runs:
        return None
    took = sorted(run["duration_s"] for _, run in runs if run["duration_s"] is not None)
    longest_s = took[-1] if took else 0.0
    drawn = max_duration_s <= longest_s * _FAR
    top_s = max(longest_s, max_duration_s if drawn else 0.0) or 1.0
    step = 100 / len(runs)
    return Chart(
        bars=tuple(
            _bar(slot, run, index * step, step, top_s) for index, (slot, run) in enumerate(runs)
        ),
        height=HEIGHT,
        limit=format_duration(max_duration_s),
        limit_top=_top(max_duration_s, top_s) if drawn else None,
        longest=format_duration(longest_s),
        usual=format_duration(took[len(took) // 2]) if took else "",
    )


def _drawn(slot: dict[str, Any]) -> list[dict[str, Any]]:
    if slot["runs"] or slot["verdict"] == Verdict.PENDING:
        return list(slot["runs"])
    return [{"duration_s": None}]


def _bar(slot: dict[str, Any], run: dict[str, Any], left: float, step: float, top_s: float) -> Bar:
    took_s = run["duration_s"]
    top = HEIGHT - _LEAST if took_s is None else min(HEIGHT - _LEAST, _top(took_s, top_s))
    return Bar(
        left=round(left + step * 0.12, 3),
        middle=round(left + step / 2, 3),
        width=round(step * 0.76, 3),
        top=round(top, 1),
        height=round(0 if took_s is None else HEIGHT - top, 1),
        verdict=slot["verdict"],
        mark=_mark(slot["verdict"]),
        title=_title(slot, run),
    )


def _top(seconds: float, top_s: float) -> float:
    return round(HEIGHT - (HEIGHT - _ROOM) * seconds / top_s, 1)


def _mark(verdict: str) -> str:
    """Name the shape: a cross for bad, a triangle for late, a ring for what is not known yet."""
    if verdict == Verdict.OK:
        return ""
    if verdict == Verdict.LATE:
        return "triangle"
    return "cross" if Verdict(verdict).bad else "ring"


def _title(slot: dict[str, Any], run: dict[str, Any]) -> str:
    due = f"{datetime.fromisoformat(slot['slot']):%a %Y-%m-%d %H:%M}"
    took = (
        "no run that has ended" if run["duration_s"] is None else format_duration(run["duration_s"])
    )
    return f"{due}: {slot['verdict']}, {took}"
