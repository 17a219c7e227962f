"""What the first page shows: a headline, and a row a job, those that are not well first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cronverifyd.judge.wording import plural
from cronverifyd.model import Verdict
from cronverifyd.report import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STRIP = 14
_MOST_NAMES = 3
_MOST_FINDINGS = 50
_GOOD = "✓"
_MEANINGS = {
    Verdict.OK: "done in time, and as it should be",
    Verdict.LATE: "done, but after the deadline",
    Verdict.PENDING: "its time is not over",
    Verdict.MISSED: "it did not run",
    Verdict.FAILED: "it ended with another status",
    Verdict.OVERRUN: "it still ran at the deadline",
    Verdict.INTERRUPTED: "its end will never be recorded",
    Verdict.UNMET: "an assertion does not hold",
    Verdict.ARTIFACT: "what it made is not right",
    Verdict.UNKNOWN: "what it wrote cannot be seen",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """An instant: for machines, in a word or two, and wholly."""

    iso: str
    words: str
    whole: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One slot of a strip."""

    verdict: str
    letter: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One job. `rank`: 0: not well, 1: its last slot was bad and nobody is told, 2: well.

    `unverified`: a due slot was not judged. `opened`, `bad_slots`: of its open incident.
    """

    job: str
    schedule: str
    timezone: str
    verdict: str
    reason: str
    rank: int
    unverified: bool
    cells: tuple[Cell, ...]
    strip: str
    slot: Moment | None
    next: Moment | None
    last_ok: Moment | None
    opened: Moment | None
    bad_slots: str
    cause: str
    acked: bool
    muted_until: Moment | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Banner:
    """How the whole is, in a headline, and what else is wrong. `level`: well, warning or bad.

    `blind`: those lines that say that what is shown may not be what is.
    """

    level: str
    headline: str
    more: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """All of the first page. `groups`: the rows by their rank, with a title each."""

    instance: str
    now: Moment
    banner: Banner
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    shown: int
    jobs: int
    findings: tuple[tuple[str, str, str, Moment], ...]
    rejected: int
    last_delivery: Moment | None
    unproven: tuple[str, ...]
    key: tuple[tuple[Cell, str], ...]


def overview(
    status: dict[str, Any],
    strips: Callable[[str], Sequence[tuple[str, str]]],
    *,
    alive: bool,
    wanted: str = "",
) -> Overview:
    """Lay the page out. `status`: the document of that name; `strips`: a job's newest slots.

    `alive`: the main loop turns. `wanted`: only jobs with this in their name or verdict.
    """
    now = datetime.fromisoformat(status["now"])
    unseen = set(status["unverified"])
    rows = [
        _row(job, strips(job["job"]), now, unverified=job["job"] in unseen)
        for job in status["jobs"]
        if wanted.lower() in f"{job['job']} {job['verdict']}"
    ]
    return Overview(
        instance=status["instance"],
        now=moment(status["now"], now),
        banner=_banner(status, now, alive=alive),
        groups=tuple(_groups(rows)),
        shown=len(rows),
        jobs=len(status["jobs"]),
        findings=tuple(
            (found["job"], found["kind"], found["text"], moment(found["at"], now))
            for found in status["findings"][:_MOST_FINDINGS]
        ),
        rejected=status["rejected"],
        last_delivery=maybe(status["last_delivery"], now),
        unproven=tuple(status["unproven"]),
        key=tuple((cell("", verdict), meaning) for verdict, meaning in _MEANINGS.items()),
    )


def moment(text: str, now: datetime) -> Moment:
    """Say an instant of a document."""
    at = datetime.fromisoformat(text)
    whole = at.strftime("%a %Y-%m-%d %H:%M:%S %z")
    return Moment(iso=text, words=words.roughly(text, now), whole=whole)


def maybe(text: str | None, now: datetime) -> Moment | None:
    """Say an instant that may not be there."""
    return None if text is None else moment(text, now)


def cell(slot: str, verdict: str) -> Cell:
    """Make a cell of a strip. `slot`: RFC 3339, in the job's zone."""
    letter = _GOOD if verdict == Verdict.OK else words.LETTERS[verdict].upper()
    return Cell(
        verdict=verdict, letter=letter, title=f"{slot[:16].replace('T', ' ')} {verdict}".strip()
    )


def sentence(verdicts: Sequence[str]) -> str:
    """Say a strip aloud: `12 ok, 1 missed, 1 ok`, oldest first."""
    rows = ((verdict, len(list(same))) for verdict, same in groupby(verdicts))
    return ", ".join(f"{count} {verdict}" for verdict, count in rows) or "none yet"


def _row(
    job: dict[str, Any], strip: Sequence[tuple[str, str]], now: datetime, *, unverified: bool
) -> Row:
    incident = job["incident"]
    is_bad = Verdict(job["verdict"]).bad or job["verdict"] == Verdict.UNKNOWN
    return Row(
        job=job["job"],
        schedule=job["schedule"],
        timezone=job["timezone"],
        verdict=job["verdict"],
        reason=job["reason"],
        rank=0 if incident or unverified else 1 if is_bad else 2,
        unverified=unverified,
        cells=tuple(cell(slot, verdict) for slot, verdict in strip),
        strip=sentence([verdict for _, verdict in strip]),
        slot=maybe(job["slot"], now),
        next=maybe(job["next"], now),
        last_ok=maybe(job["last_ok"], now),
        opened=moment(incident["since"], now) if incident else None,
        bad_slots=plural(incident["slots"], "bad slot") if incident else "",
        cause=(incident and incident["cause"]) or "",
        acked=bool(incident and incident["acked"]),
        muted_until=maybe(job["muted_until"], now),
    )


def _groups(rows: list[Row]) -> Iterator[tuple[str, tuple[Row, ...]]]:
    titles = ("Not well", "Last slot not good, nobody is told", "Well")
    for rank, title in enumerate(titles):
        if found := tuple(row for row in rows if row.rank == rank):
            yield title, found


def _banner(status: dict[str, Any], now: datetime, *, alive: bool) -> Banner:
    """Say that first which hides most."""
    blind = tuple(_blind(status, now, alive=alive))
    bad, warnings = (*blind, *_sick(status)), tuple(_warnings(status, now))
    if bad or warnings:
        headline, *more = bad + warnings
        level = "bad" if bad else "warning"
        return Banner(level=level, headline=headline, more=tuple(more), blind=blind)
    count = len(status["jobs"])
    if not count:
        return Banner(level="warning", headline="No job is watched")
    return Banner(level="well", headline=f"All well: {plural(count, 'job')}")


def _blind(status: dict[str, Any], now: datetime, *, alive: bool) -> Iterator[str]:
    if not alive:
        yield "Nobody checks: the daemon's main loop does not turn"
    if status["unverified"]:
        yield f"Nobody checks: due and not judged: {_names(status['unverified'])}"
    if dead := status["cron_dead"]:
        yield f"No cron is running, seen {words.roughly(dead['since'], now)}"
    if blind := status["cannot_see"]:
        files = "; ".join(f"{file['path']} {file['reason']}" for file in blind["files"])
        yield f"Cannot see what jobs wrote: {files}"


def _sick(status: dict[str, Any]) -> Iterator[str]:
    sick = [job["job"] for job in status["jobs"] if job["incident"]]
    if sick:
        are = "is" if len(sick) == 1 else "are"
        yield f"{len(sick)} of {plural(len(status['jobs']), 'job')} {are} not well: {_names(sick)}"


def _warnings(status: dict[str, Any], now: datetime) -> Iterator[str]:
    if stopped := status["triggers_stopped"]:
        yield f"CueAPI has stopped triggering, seen {words.roughly(stopped['since'], now)}"
    if count := status["undelivered"]:
        yield f"{plural(count, 'alert')} reached nobody yet"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = names if more <= 1 else [*names[:_MOST_NAMES], f"{more} more"]
    return ", ".join(shown)
