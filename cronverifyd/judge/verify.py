"""Judge one slot: what was due, what was written, and the time make the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge import artifact
from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.expect import evaluate, parse
from cronverifyd.judge.runs import start_of
from cronverifyd.judge.wording import clock, plural, quoted
from cronverifyd.model import Judgment, Loss, Run, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cronverifyd.model import Hole, Job, Slot

_LATE_START = timedelta(seconds=60)
"""A start is called late in words only beyond this: cron itself takes some seconds."""


_OF_SILENCE = frozenset({Verdict.MISSED, Verdict.OVERRUN, Verdict.INTERRUPTED})
"""Verdicts that say that a line is not there, so they need to know that it was not lost."""


def judge(
    job: Job, slot: Slot, runs: Sequence[Run], now: datetime, holes: Sequence[Hole] = ()
) -> Judgment:
    """Give a slot its verdict. `runs`: those that belong to it, in any order.

    The first that fits counts: ok, late, interrupted, overrun, failed, unmet, artifact, pending,
    missed. `holes`: those of the files that the job writes to. Where one of them touches the slot's
    window, a verdict that rests on silence is `unknown`; one that rests on lines stands.
    """
    judgment = next(_in_order(job, slot, runs, now))
    if judgment.verdict in _OF_SILENCE:
        ends = [run.lost_at or own_deadline(job, slot, run) for run in runs]
        window_ends = max([slot.deadline, *ends])
        for hole in holes:
            if hole.since < window_ends and (hole.until is None or hole.until > slot.at):
                return replace(_unknown(job, slot, hole), run=judgment.run)
    return judgment


def _in_order(job: Job, slot: Slot, runs: Sequence[Run], now: datetime) -> Iterator[Judgment]:
    """Yield all that can be said of a slot, what counts most first; the last always fits."""
    ended = sorted((r for r in runs if r.ended_at is not None), key=lambda r: (_end_of(r), r.run))
    unended = sorted((r for r in runs if r.ended_at is None), key=lambda r: (start_of(r), r.run))
    running = [run for run in unended if run.loss is None]
    as_expected = [(r, _broken(job, r)) for r in ended if r.status == job.expected_status]
    good = [run for run, broken in as_expected if not broken and not _is_unmeasured(job, run)]
    if len(good) >= slot.starts:
        yield _good(job, slot, good)
    if lost := [run for run in unended if run.loss is not None]:
        yield _interrupted(job, slot, lost[-1])
    if overdue := [r for r in running if own_deadline(job, slot, r) <= now]:
        yield _overrun(job, slot, overdue[0])
    until = min((own_deadline(job, slot, r) for r in running), default=None)
    if failed := [r for r in ended if r.status != job.expected_status]:
        yield replace(_failed(job, slot, failed[-1]), until=until)
    for verdict in (Verdict.UNMET, Verdict.ARTIFACT):
        if broken := [(r, found[verdict]) for r, found in as_expected if verdict in found]:
            yield replace(_disappointing(job, slot, *broken[-1]), verdict=verdict, until=until)
    if unmeasured := [r for r in ended if _is_unmeasured(job, r)]:
        yield replace(_measuring(job, slot, unmeasured[-1]), until=until)
    if running:
        yield replace(_running(job, slot, running[-1]), until=until)
    yield _no_sign(job, slot, len(good), now)


def is_good(job: Job, run: Run) -> bool:
    """Say whether a run ended as it should, in time or not."""
    ended = run.ended_at is not None and run.status == job.expected_status
    return ended and not _is_unmeasured(job, run) and not _broken(job, run)


def wants_measuring(job: Job, run: Run) -> bool:
    """Say whether only its artifacts, not measured yet, can still make a run that ended bad."""
    return _is_unmeasured(job, run) and not _unmet_assertions(job, run)


def _is_unmeasured(job: Job, run: Run) -> bool:
    return bool(job.artifacts) and run.artifacts == () and run.status == job.expected_status


def _broken(job: Job, run: Run) -> dict[Verdict, list[str]]:
    """Say in sentences what is wrong with a run whose status is as expected, by its verdict."""
    if unmet := _unmet_assertions(job, run):
        return {Verdict.UNMET: unmet}
    if broken := _broken_artifacts(job, run):
        return {Verdict.ARTIFACT: broken}
    return {}


def _unmet_assertions(job: Job, run: Run) -> list[str]:
    findings = [evaluate(parse(assertion), run) for assertion in job.expect]
    return [finding.sentence for finding in findings if not finding.holds]


def _broken_artifacts(job: Job, run: Run) -> list[str]:
    rules = {rule.path: rule for rule in job.artifacts}
    return [
        sentence
        for made in run.artifacts or ()
        if made.rule in rules  # a rule that left the configuration binds no more
        for sentence in artifact.broken(
            rules[made.rule], made, run, job.timezone, longest_s=job.max_duration_s + job.grace_s
        )
    ]


def patience(job: Job) -> timedelta:
    """Say how long after a slot of which nothing was heard it has to be looked at first."""
    window_s = job.max_duration_s + job.grace_s
    return timedelta(seconds=min(window_s, window_s if (s := job.start_within_s) is None else s))


def first_moment(job: Job, slot: Slot) -> datetime:
    """Say when a slot of which nothing was heard has to be looked at first."""
    return slot.at + patience(job)


def own_deadline(job: Job, slot: Slot, run: Run) -> datetime:
    """Say until when a run may run: a run that began late has its own full window."""
    own = start_of(run) + timedelta(seconds=job.max_duration_s + job.grace_s)
    return max(slot.deadline, own)


def _end_of(run: Run) -> datetime:
    return run.ended_at or start_of(run)


def _good(job: Job, slot: Slot, good: list[Run]) -> Judgment:
    in_time = [run for run in good if _in_time(slot, run)]
    if len(in_time) >= slot.starts:
        run = in_time[slot.starts - 1]
        reason = _ended_well(job, slot, run) + _of_several(slot)
        return Judgment(verdict=Verdict.OK, reason=reason, run=run.run)
    run = good[slot.starts - 1]
    by = format_duration((_end_of(run) - slot.deadline).total_seconds())
    reason = f"{_ended_well(job, slot, run)}, {by} after the deadline{_of_several(slot)}"
    return Judgment(verdict=Verdict.LATE, reason=reason, run=run.run)


def _of_several(slot: Slot) -> str:
    """Say that cron started several runs at once, as it does after the gap of a clock change."""
    return "" if slot.starts == 1 else f", the last of {slot.starts} runs"


def _unknown(job: Job, slot: Slot, hole: Hole) -> Judgment:
    since = clock(hole.since, job.timezone, near=slot.at)
    if hole.until is None:
        reason = f"{hole.path} {hole.reason}: nobody can see what was written since {since}"
    else:
        until = clock(hole.until, job.timezone, near=slot.at)
        what = f"what was written between {since} and {until} may be lost"
        reason = f"{hole.path} {hole.reason}: {what}"
    return Judgment(verdict=Verdict.UNKNOWN, reason=reason)


def _interrupted(job: Job, slot: Slot, run: Run) -> Judgment:
    start = clock(start_of(run), job.timezone, near=slot.at)
    seen = clock(run.lost_at, job.timezone, near=slot.at) if run.lost_at else "some time"
    pid = f" {run.pid}" if run.pid is not None else ""
    what = {
        Loss.GONE: f"its process{pid} is gone, seen at {seen}",
        Loss.ORPHANED: f"its wrapper was killed, seen at {seen}, when the job itself still ran as"
        f" process{pid}",
        Loss.REBOOTED: f"the host was rebooted at {seen}",
    }[run.loss or Loss.GONE]
    reason = f"started at {start}, and its end will never be recorded: {what}"
    return Judgment(verdict=Verdict.INTERRUPTED, reason=reason, run=run.run)


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


def _failed(job: Job, slot: Slot, run: Run) -> Judgment:
    reason = (
        f"ended with status {quoted(run.status or '')}{_how(run)} {_when(job, slot, run)},"
        f" expected {quoted(job.expected_status)}"
    )
    return Judgment(verdict=Verdict.FAILED, reason=reason, run=run.run)


def _disappointing(job: Job, slot: Slot, run: Run, broken: list[str]) -> Judgment:
    reason = f"{_ended_well(job, slot, run)}, but {'; '.join(broken)}"
    return Judgment(verdict=Verdict.UNMET, reason=reason, run=run.run)


def _measuring(job: Job, slot: Slot, run: Run) -> Judgment:
    made = plural(len(job.artifacts), "artifact")
    reason = f"{_ended_well(job, slot, run)}, its {made} being measured"
    return Judgment(verdict=Verdict.PENDING, reason=reason, run=run.run)


def _how(run: Run) -> str:
    if run.signal is not None:
        return f" (killed by {quoted(run.signal, 20)[1:-1]})"
    if run.exit_code is not None:
        return f" (exit code {run.exit_code})"
    return ""


def _running(job: Job, slot: Slot, run: Run) -> Judgment:
    start = clock(start_of(run), job.timezone, near=slot.at)
    reason = f"running since {start}{_late_start(slot, run)}"
    return Judgment(verdict=Verdict.PENDING, reason=reason, run=run.run)


def _no_sign(job: Job, slot: Slot, good: int, now: datetime) -> Judgment:
    """Judge a slot for which nothing runs. `good`: so many of the runs that it expects ended well.

    One that has those of a single start is not without a sign, so only its deadline counts.
    """
    moment = first_moment(job, slot) if not good else slot.deadline
    by = clock(moment, job.timezone, near=slot.at)
    heard = f"only {good} of {slot.starts} runs heard of" if good else "not heard of"
    if now < moment:
        reason = f"{heard} yet, expected by {by}"
        return Judgment(verdict=Verdict.PENDING, reason=reason, until=moment)
    if good:
        reason = f"only {good} of the {slot.starts} runs that cron starts for it ended by {by}"
    elif moment < slot.deadline and job.start_within_s is not None:
        within = format_duration(job.start_within_s)
        reason = f"no sign of a run within {within} of {clock(slot.at, job.timezone, near=slot.at)}"
    else:
        reason = f"no run for it ended by the deadline {by} and none for it is running"
    return Judgment(verdict=Verdict.MISSED, reason=reason)
