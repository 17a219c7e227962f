"""What is wrong with the thing that a run must have made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge.runs import start_of
from cronverifyd.judge.size import format_size
from cronverifyd.judge.wording import clock

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.model import Artifact, ArtifactRule, Run

_COARSE = timedelta(seconds=2)
"""File systems keep times as coarse as this (FAT), and a run is recorded after it has begun."""

_MOST_SHOWN = 200


def broken(
    rule: ArtifactRule, artifact: Artifact, run: Run, zone: str, *, longest_s: float = 0.0
) -> list[str]:
    """Say in sentences what is wrong with an artifact, with numbers; none: it is good.

    `longest_s`: so many seconds a run may have taken whose start nobody knows. Of a file that was
    written before the run only that is said, since it does not speak of the run. One that was
    measured too late says nothing.
    """
    if artifact.replaced:
        return []
    if artifact.found is None and artifact.fault is None:
        return [f"no file matches {rule.path}"]
    age = _age(artifact, run, zone, longest_s)
    wrong = [age] if age is not None and artifact.size else [age, *_contents(rule, artifact)]
    name = _shown(artifact.found or rule.path)
    return [f"{name} {what}" for what in wrong if what is not None]


def _contents(rule: ArtifactRule, artifact: Artifact) -> list[str | None]:
    """Say what is wrong with a file itself."""
    size = artifact.size
    if size is None:
        return [artifact.fault]
    if size == 0:
        return ["is empty"]
    return [
        _too_small(rule, size),
        _shrunk(rule, size, artifact.usual_size),
        "is byte-identical to the last one" if rule.changed and artifact.same_as_last else None,
        artifact.fault if rule.opens or (rule.changed and artifact.digest is None) else None,
    ]


def _age(artifact: Artifact, run: Run, zone: str, longest_s: float) -> str | None:
    if artifact.modified_at is None:
        return None
    start, known = _earliest_start(run, longest_s)
    if artifact.modified_at >= start - _COARSE:
        return None
    written, began = (clock(at, zone, near=start) for at in (artifact.modified_at, start))
    how = "started" if known else "can have started,"
    return f"was last written {written}, before this run {how} at {began}"


def _earliest_start(run: Run, longest_s: float) -> tuple[datetime, bool]:
    """Say when a run started, or at the earliest may have, and whether that is known."""
    if run.started_at is not None or run.ended_at is None:
        return start_of(run), True
    took_s = longest_s if run.duration_s is None else run.duration_s
    return (run.untimed_since or run.ended_at) - timedelta(seconds=took_s), False


def _too_small(rule: ArtifactRule, size: int) -> str | None:
    if rule.min_size is None or size >= rule.min_size:
        return None
    seen, least = _told_apart(size, rule.min_size)
    return f"is {seen}, expected at least {least}"


def _shrunk(rule: ArtifactRule, size: int, usual: float | None) -> str | None:
    if rule.shrink is None or usual is None or size >= rule.shrink * usual:
        return None
    seen, before = _told_apart(size, usual)
    part = f"less than {rule.shrink:g} of the usual {before}"
    return f"is {seen}, {part} (median of the last good ones, up to 10)"


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Say two sizes that differ, in bytes where rounding would hide that."""
    if format_size(one) != format_size(other):
        return format_size(one), format_size(other)
    return f"{one:.15g} bytes", f"{other:.15g} bytes"


def _shown(path: str) -> str:
    """Show a path on one line. The end of a long one tells more than its beginning."""
    flat = " ".join(path.split())
    return flat if len(flat) <= _MOST_SHOWN else f"…{flat[1 - _MOST_SHOWN :]}"
