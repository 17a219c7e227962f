"""Find what the host can prove to have made slots bad, and put together what has one cause.

That things went wrong together proves nothing: a slot has a cause only if what the host was like
over that slot explains that verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge import host_words as words
from cronverifyd.model import Cause, CauseKind, Loss, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from cronverifyd.model import ClockStep, HostFacts, Span, Volume

_WRITES_WITHIN = timedelta(seconds=60)
"""So long after a slot cron's run has begun to write; so soon its end is missed when it is lost."""

_DEAD_AFTER_S = 30.0
"""Upgrading or restarting cron takes less; people are to know of a dead one within 90 s."""

_BOOT_TAKES = timedelta(seconds=60)

_NO_SPACE = re.compile(r"No space left on device|\bENOSPC\b", re.IGNORECASE)
"""What strerror(3) calls ENOSPC."""

_FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class BadSlot:
    """A slot that became bad, with what is needed to find out why.

    `loss`, `lost_at`, `error`: of the run that decided it; `error` with its last output lines.
    `files`: the outcome files in which its lines may stand.
    """

    job: str
    slot: datetime
    deadline: datetime
    verdict: Verdict
    reason: str = ""
    loss: Loss | None = None
    lost_at: datetime | None = None
    error: str | None = None
    files: tuple[str, ...] = ()


def cause_of(
    bad: BadSlot,
    facts: HostFacts,
    known_down: tuple[datetime, datetime] | None = None,
    zone: str = "UTC",
) -> Cause | None:
    """Find the first cause that the host can prove for a bad slot, in the order of CauseKind."""
    return next(_causes(bad, facts, known_down, zone), None)


def cron_dead(facts: HostFacts, jobs: Collection[str], zone: str = "UTC") -> Cause | None:
    """Say that cron is dead, without waiting for a deadline; None while that is not certain.

    `jobs`: those that are owed something. A host on which nothing says that there should be a cron
    may start its jobs by other means, and one that has just booted may not have come to it yet.
    """
    if not jobs or facts.cron_running is not False or not facts.cron_expected:
        return None
    if (facts.cron_missing_s or 0.0) < _DEAD_AFTER_S:
        return None
    if facts.booted_at is not None and facts.at - facts.booted_at < _BOOT_TAKES:
        return None
    return next((_cron_down(s, facts.at, zone) for s in _sure_gaps(facts) if s.until is None), None)


def _causes(
    bad: BadSlot, facts: HostFacts, known_down: tuple[datetime, datetime] | None, zone: str
) -> Iterator[Cause]:
    if known_down is not None and _was_down(bad, *known_down):
        yield _host_down(*known_down, facts.at, zone)
    for span in facts.asleep:
        if _took_its_time(bad, _from(span), span.until or _FAR):
            yield _asleep(span, facts.at, zone)
    for step in facts.steps:
        if _took_its_time(bad, *_jumped(step)):
            yield _clock_stepped(step, facts.at, zone)
    for span in _sure_gaps(facts):
        if bad.verdict is Verdict.MISSED and _overlaps(span, bad.slot, bad.slot):
            yield _cron_down(span, facts.at, zone)
    yield from _of_disks(bad, facts, zone)


def _of_disks(bad: BadSlot, facts: HostFacts, zone: str) -> Iterator[Cause]:
    for volume, span in _full(facts):
        if _met_it(bad, span) or _lines_hit(bad, volume, span):
            yield _disk_full(*_first_of_disk(_full(facts), volume, span), facts.at, zone)
    for volume, span in _read_only(facts):
        if _lines_hit(bad, volume, span):
            yield _unwritable(*_first_of_disk(_read_only(facts), volume, span), facts.at, zone)


def _sure_gaps(facts: HostFacts) -> Iterator[Span]:
    """Give the times without cron, if there should be one; one that lasts only when it is sure."""
    for span in facts.cron_gaps:
        if facts.cron_expected and (span.until is not None or facts.cron_running is False):
            yield span


def _full(facts: HostFacts) -> Iterator[tuple[Volume, Span]]:
    return ((volume, span) for volume in facts.volumes for span in volume.full)


def _read_only(facts: HostFacts) -> Iterator[tuple[Volume, Span]]:
    return ((volume, span) for volume in facts.volumes for span in volume.read_only)


# ---- what proves a cause ------------------------------------------------------------------------


def _was_down(bad: BadSlot, last_sign: datetime, booted_at: datetime) -> bool:
    """Say whether the host was down at the slot, or the run was ended by the boot."""
    if bad.verdict is Verdict.MISSED:
        return last_sign <= bad.slot <= booted_at
    return bad.loss is Loss.REBOOTED and bad.slot <= booted_at


def _took_its_time(bad: BadSlot, since: datetime, until: datetime) -> bool:
    """Say whether a time in which no job could run took the slot, or the end of a run's window."""
    if bad.verdict is Verdict.MISSED:
        return since <= bad.slot <= until
    return bad.verdict is Verdict.OVERRUN and since <= bad.deadline <= until


def _jumped(step: ClockStep) -> tuple[datetime, datetime]:
    """Say what the clock jumped over: forward, it never showed it; back, it showed it twice."""
    by = timedelta(seconds=step.by_s)
    return min(step.before, step.before + by), max(step.at, step.at - by)


def _met_it(bad: BadSlot, span: Span) -> bool:
    """Say whether a run complained of a full disk while one was."""
    complains = bad.error is not None and _NO_SPACE.search(bad.error) is not None
    return complains and _overlaps(span, bad.slot, bad.deadline)


def _lines_hit(bad: BadSlot, volume: Volume, span: Span) -> bool:
    """Say whether the line that is lacking could not be written when it was due: start or end."""
    if volume.path not in bad.files:
        return False
    if bad.verdict is Verdict.MISSED:
        return _overlaps(span, bad.slot, bad.slot + _WRITES_WITHIN)
    if bad.verdict is not Verdict.INTERRUPTED or bad.loss is not Loss.GONE or bad.lost_at is None:
        return False
    return _overlaps(span, bad.lost_at - _WRITES_WITHIN, bad.lost_at)


def _first_of_disk(
    pairs: Iterable[tuple[Volume, Span]], volume: Volume, span: Span
) -> tuple[Volume, Span]:
    """Find the first path on the same disk that was so then, too: one disk is one cause."""
    for other, its in pairs:
        if other.device == volume.device and _overlaps(its, _from(span), span.until or _FAR):
            return other, its
    return volume, span


def _from(span: Span) -> datetime:
    return span.before or span.since


def _overlaps(span: Span, first: datetime, last: datetime) -> bool:
    return _from(span) <= last and first <= (span.until or _FAR)


# ---- causes in words ----------------------------------------------------------------------------


def _cause(kind: CauseKind, span: Span, text: str, what: str = "") -> Cause:
    return Cause(kind=kind, since=_from(span), until=span.until, what=what, text=text)


def _host_down(last_sign: datetime, booted_at: datetime, now: datetime, zone: str) -> Cause:
    during = words.during(last_sign, booted_at, zone, now)
    text = f"the host was down {during}"
    return Cause(kind=CauseKind.HOST_DOWN, since=last_sign, until=booted_at, text=text)


def _asleep(span: Span, now: datetime, zone: str) -> Cause:
    return _cause(CauseKind.ASLEEP, span, words.asleep(span, zone, now))


def _clock_stepped(step: ClockStep, now: datetime, zone: str) -> Cause:
    since, until = _jumped(step)
    text = words.stepped(step, zone, now)
    return Cause(kind=CauseKind.CLOCK_STEPPED, since=since, until=until, text=text)


def _cron_down(span: Span, now: datetime, zone: str) -> Cause:
    return _cause(CauseKind.CRON_DOWN, span, words.cron_gap(span, zone, now))


def _disk_full(volume: Volume, span: Span, now: datetime, zone: str) -> Cause:
    text = words.full(volume, span, zone, now)
    return _cause(CauseKind.DISK_FULL, span, text, volume.path)


def _unwritable(volume: Volume, span: Span, now: datetime, zone: str) -> Cause:
    text = words.read_only(volume, span, zone, now)
    return _cause(CauseKind.UNWRITABLE, span, text, volume.path)
