"""What is odd about a job's runs, and yet makes no slot bad."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.runs import start_of
from cronverifyd.judge.verify import is_good
from cronverifyd.judge.wording import clock, plural, quoted
from cronverifyd.model import Finding, FindingKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from cronverifyd.model import Job, Run, Slot

_CRON_TAKES = timedelta(seconds=60)


def surplus(
    job: Job, slot: Slot, runs: Sequence[Run], second_pass: datetime | None
) -> Iterator[Finding]:
    """Name the runs of a slot that had its good runs already, whatever order they came to light in.

    A run that ended badly before the good one started was a try, and is not odd. `second_pass`:
    when the slot's wall comes again in a repeated hour; a cron that was restarted within it runs
    the job once more.
    """
    good = sorted((r for r in runs if is_good(job, r)), key=lambda r: (r.ended_at, r.run))
    if not slot.owed or len(good) < slot.starts:
        return
    serving = good[: slot.starts]
    last_start = max(start_of(run) for run in serving)
    names = {run.run for run in serving}
    for run in sorted(runs, key=lambda r: (start_of(r), r.run)):
        odd = run in good or start_of(run) > last_start
        excused = _is_repeated(run, second_pass) or _is_doubtful(slot, run)
        if run.run not in names and odd and not excused:
            yield _surplus(job, slot, run, serving[-1])


def _is_doubtful(slot: Slot, run: Run) -> bool:
    """Say whether a run whose lines bear no time may have been in time for its slot."""
    return run.untimed_since is not None and start_of(run) > slot.deadline


def _is_repeated(run: Run, second_pass: datetime | None) -> bool:
    return second_pass is not None and abs(start_of(run) - second_pass) <= _CRON_TAKES


def _surplus(job: Job, slot: Slot, run: Run, serving: Run) -> Finding:
    start = start_of(run)
    late = start > slot.deadline
    due = clock(slot.at, job.timezone, near=start)
    ended = clock(serving.ended_at or start, job.timezone, near=slot.at)
    text = (
        f"a run that started at {clock(start, job.timezone, near=slot.at)} belongs to no slot:"
        f" the one due at {due} had {plural(slot.starts, 'good run')} by {ended}"
    )
    if late:
        by = format_duration((start - slot.deadline).total_seconds())
        text += f", and its deadline was {by} before"
    kind = FindingKind.OFF_SCHEDULE if late else FindingKind.DUPLICATE
    return Finding(job=job.name, kind=kind, run=run.run, at=start, text=text)


def overlaps(job: Job, runs: Iterable[Run]) -> Iterator[Finding]:
    """Name each run that began before the one that began last before it had ended.

    A run that is lost may have ended at any time, and is overlapped by none.
    """
    ordered = sorted(runs, key=lambda run: (start_of(run), run.run))
    for place, run in enumerate(ordered):
        if run.untimed_since is not None:
            continue  # nobody knows when it began
        for earlier in reversed(ordered[:place]):
            if _covers(earlier, start_of(run)):
                yield _overlap(job, run, earlier)
                break


def _covers(run: Run, instant: datetime) -> bool:
    """Say whether a run was going on at an instant at which another one began."""
    if run.loss is not None or run.untimed_since is not None:
        return False
    return run.started_at is not None and (run.ended_at is None or run.ended_at > instant)


def _overlap(job: Job, run: Run, earlier: Run) -> Finding:
    start, before = start_of(run), start_of(earlier)
    going_on = format_duration((start - before).total_seconds())
    text = (
        f"a run began at {clock(start, job.timezone, near=start)} while the one of"
        f" {clock(before, job.timezone, near=start)} was still running, {going_on} after its start"
    )
    return Finding(job=job.name, kind=FindingKind.OVERLAP, run=run.run, at=start, text=text)


def spoofed(job: Job, run: Run, path: str, writer: str | None) -> Finding:
    """Name a run that does not count: the file's owner, `writer`, is none whose outcomes do.

    `writer` None: others may write the file as well.
    """
    whose = f"belongs to {quoted(writer, 40)}" if writer else "can be written by others as well"
    text = (
        f"{path} tells of a run of {job.name} and {whose};"
        f" only what {quoted(job.user or '', 40)} or root has written counts for it"
    )
    kind = FindingKind.SPOOFED
    return Finding(job=job.name, kind=kind, run=run.run, at=start_of(run), text=text)


def unregistered(run: Run, path: str) -> Finding:
    """Name a job that stands in no configuration, by its first run of which was heard."""
    who = f", by {quoted(run.user, 40)}" if run.user else ""
    text = f"{path} tells of runs of {run.job}{who}, and no job of that name is configured"
    kind = FindingKind.UNREGISTERED
    return Finding(job=run.job, kind=kind, run=run.run, at=start_of(run), text=text)
