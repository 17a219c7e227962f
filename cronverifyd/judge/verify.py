"""Judge one slot: what was due, what was written, and the time make the verdict."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.expect import evaluate, parse
from cronverifyd.judge.runs import start_of
from cronverifyd.judge.wording import clock, quoted
from cronverifyd.model import Judgment, Run, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cronverifyd.model import Job, Slot

_LATE_START = timedelta(seconds=60)
"""A start is called late in words only beyond this: cron itself takes some seconds."""


def judge(job: Job, slot: Slot, runs: Sequence[Run], now: datetime) -> Judgment:
    """Give a slot its verdict. `runs`: those that belong to it, in any order.

    The first that fits counts: ok, late, overrun, failed, unmet, pending, missed.
    """
    ended = sorted((r for r in runs if r.ended_at is not None), key=_end_of)
    running = sorted((r for r in runs if r.ended_at is None), key=start_of)
    as_expected = [(r, _broken(job, r)) for r in ended if r.status == job.expected_status]
    if good := [run for run, broken in as_expected if not broken]:
        return _good(job, slot, good)
    if overdue := [r for r in running if own_deadline(job, slot, r) <= now]:
        return _overrun(job, slot, overdue[0])
    until = min((own_deadline(job, slot, r) for r in running), default=None)
    if failed := [r for r in ended if r.status != job.expected_status]:
        return _failed(job, slot, failed[-1], until)
    if as_expected:
        return _unmet(job, slot, *as_expected[-1], until)
    if running:
        return _running(job, slot, running[-1], until)
    return _no_sign(job, slot, now)


def _broken(job: Job, run: Run) -> list[str]:
    """Say which of the job's assertions do not hold for a run that has ended, in sentences."""
    findings = [evaluate(parse(assertion), run) for assertion in job.expect]
    return [finding.sentence for finding in findings if not finding.holds]


def first_moment(job: Job, slot: Slot) -> datetime:
    """Say when a slot of which nothing was heard has to be looked at first."""
    if job.start_within_s is None:
        return slot.deadline
    return min(slot.deadline, slot.at + timedelta(seconds=job.start_within_s))


def own_deadline(job: Job, slot: Slot, run: Run) -> datetime:
    """Say until when a run may run: a run that began late has its own full window."""
    own = start_of(run) + timedelta(seconds=job.max_duration_s + job.grace_s)
    return max(slot.deadline, own)


def _end_of(run: Run) -> datetime:
    return run.ended_at or start_of(run)


def _good(job: Job, slot: Slot, good: list[Run]) -> Judgment:
    for run in good:
        if _in_time(slot, run):
            return Judgment(verdict=Verdict.OK, reason=_ended_well(job, slot, run), run=run.run)
    run = good[0]
    by = format_duration((_end_of(run) - slot.deadline).total_seconds())
    reason = f"{_ended_well(job, slot, run)}, {by} after the deadline"
    return Judgment(verdict=Verdict.LATE, reason=reason, run=run.run)


def _in_time(slot: Slot, run: Run) -> bool:
    """Say whether a run ended by the deadline, or may have, if its line bears no time."""
    maybe = run.untimed_since is not None and run.untimed_since < slot.deadline
    return maybe or _end_of(run) <= slot.deadline


def _ended_well(job: Job, slot: Slot, run: Run) -> str:
    return f"ended with status {quoted(run.status or '')} {_when(job, slot, run)}"


def _when(job: Job, slot: Slot, run: Run) -> str:
    end = clock(_end_of(run), job.timezone, near=slot.at)
    words = f"at {end}"
    if run.untimed_since is not None:
        since = clock(run.untimed_since, job.timezone, near=slot.at)
        words = f"between {since} and {end} (its line has no time)"
    if run.duration_s is not None:
        words += f" after {format_duration(run.duration_s)}"
    return words + _late_start(slot, run)


def _late_start(slot: Slot, run: Run) -> str:
    if run.started_at is None or not slot.owed or run.started_at - slot.at <= _LATE_START:
        return ""
    return f", started {format_duration((run.started_at - slot.at).total_seconds())} late"


def _overrun(job: Job, slot: Slot, run: Run) -> Judgment:
    start = start_of(run)
    # Up to its deadline and not up to now: a verdict that is reached again must be the same.
    ran = format_duration((own_deadline(job, slot, run) - start).total_seconds())
    most = format_duration(job.max_duration_s + job.grace_s)
    reason = (
        f"still running {ran} after its start at {clock(start, job.timezone, near=slot.at)},"
        f" expected to end within {most}"
    )
    return Judgment(verdict=Verdict.OVERRUN, reason=reason, run=run.run)


def _failed(job: Job, slot: Slot, run: Run, until: datetime | None) -> Judgment:
    reason = (
        f"ended with status {quoted(run.status or '')}{_how(run)} {_when(job, slot, run)},"
        f" expected {quoted(job.expected_status)}"
    )
    return Judgment(verdict=Verdict.FAILED, reason=reason, until=until, run=run.run)


def _unmet(job: Job, slot: Slot, run: Run, broken: list[str], until: datetime | None) -> Judgment:
    reason = f"{_ended_well(job, slot, run)}, but {'; '.join(broken)}"
    return Judgment(verdict=Verdict.UNMET, reason=reason, until=until, run=run.run)


def _how(run: Run) -> str:
    if run.signal is not None:
        return f" (killed by {quoted(run.signal, 20)[1:-1]})"
    if run.exit_code is not None:
        return f" (exit code {run.exit_code})"
    return ""


def _running(job: Job, slot: Slot, run: Run, until: datetime | None) -> Judgment:
    start = clock(start_of(run), job.timezone, near=slot.at)
    reason = f"running since {start}{_late_start(slot, run)}"
    return Judgment(verdict=Verdict.PENDING, reason=reason, until=until, run=run.run)


def _no_sign(job: Job, slot: Slot, now: datetime) -> Judgment:
    moment = first_moment(job, slot)
    if now < moment:
        by = clock(moment, job.timezone, near=slot.at)
        reason = f"not heard of yet, expected by {by}"
        return Judgment(verdict=Verdict.PENDING, reason=reason, until=moment)
    if moment < slot.deadline and job.start_within_s is not None:
        within = format_duration(job.start_within_s)
        reason = f"no sign of a run within {within} of {clock(slot.at, job.timezone, near=slot.at)}"
    else:
        by = clock(slot.deadline, job.timezone, near=slot.at)
        reason = f"no run for it ended by the deadline {by} and none for it is running"
    return Judgment(verdict=Verdict.MISSED, reason=reason)
