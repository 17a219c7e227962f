"""Join start lines and finish lines to runs, and find the slot that a run belongs to."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cronverifyd.judge.maintenance import window_at
from cronverifyd.model import Event, EventKind, MaintenanceMode, Run, Slot

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from cronverifyd.judge.schedule import Schedule
    from cronverifyd.model import Job

_MOST_SLOTS_SEARCHED = 1_000
_COPIED = tuple({f.name for f in fields(Event)} & {f.name for f in fields(Run)} - {"run", "job"})
_OF_AN_END = (
    "exit_code",
    "signal",
    "error",
    "duration_s",
    "cpu_s",
    "max_rss_kb",
    "metrics",
    "output_tail",
    "output_bytes",
    "output_lines",
)
"""What a later end of the same run says anew, and an earlier one no longer."""

CLOCKS_DIFFER = timedelta(seconds=60)
"""So much later than it was read may a line say that it was written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """When a line without a time of its own was written: after `earliest`, not after `latest`."""

    earliest: datetime
    latest: datetime


def join(run: Run | None, event: Event, *, run_id: str, written: Window) -> Run:
    """Add one event to a run; `run` None begins one.

    Lines may come twice or in either order: a start never reopens a run that has ended, and of two
    ends the later one counts. What a line says of a time after it was read is not believed.
    """
    event = _believable(event, written.latest + CLOCKS_DIFFER)
    if event.kind is EventKind.START:
        return _with_start(run or Run(run=run_id, job=event.job), event, written)
    return _with_finish(run or Run(run=run_id, job=event.job), event, written)


def _believable(event: Event, latest: datetime) -> Event:
    """Drop the instants that lie in the future: the writer's clock was wrong, or is set since."""
    if all(at is None or at <= latest for at in (event.at, event.started_at, event.slot)):
        return event
    return replace(
        event,
        at=_not_after(event.at, latest),
        started_at=_not_after(event.started_at, latest),
        slot=_not_after(event.slot, latest),
    )


def _not_after(instant: datetime | None, latest: datetime) -> datetime | None:
    return instant if instant is None or instant <= latest else None


def _with_start(run: Run, event: Event, written: Window) -> Run:
    told = event.at or event.started_at or run.started_at
    # Without a time of its own, a start that comes after its finish was not later than that.
    known = _said(event) | _said(run)
    known.update(
        started_at=told or run.ended_at or written.latest, slot_hint=run.slot_hint or event.slot
    )
    if run.ended_at is None:
        untimed_since = run.untimed_since if run.started_at else written.earliest
        is_timed = event.at is not None or event.started_at is not None
        known.update(status="running", untimed_since=None if is_timed else untimed_since)
    return _measured(replace(run, **known))


def _with_finish(run: Run, event: Event, written: Window) -> Run:
    ended_at = event.at or written.latest
    if run.ended_at is not None and _is_old(run, event, ended_at):
        return run
    started_at = run.started_at or event.started_at
    if run.started_at is not None and run.ended_at is None and run.untimed_since is not None:
        latest = min(run.started_at, ended_at)
        is_measured = event.at is not None and event.duration_s is not None
        started_at = event.started_at or (None if is_measured else latest)
    known = {n: v for n, v in _said(run).items() if run.ended_at is None or n not in _OF_AN_END}
    known = dict.fromkeys((*_OF_AN_END, "lost_at", "loss")) | known | _said(event)
    known.update(
        started_at=started_at,
        ended_at=ended_at,
        untimed_since=None if event.at else written.earliest,
        slot_hint=event.slot or run.slot_hint,
    )
    return _measured(replace(run, **known))


def _is_old(run: Run, event: Event, ended_at: datetime) -> bool:
    """Say whether an end tells nothing new: an earlier one, or one without a time once more."""
    repeated = event.at is None and event.status == run.status
    return repeated or (run.ended_at is not None and ended_at < run.ended_at)


def _said(told: Event | Run) -> dict[str, Any]:
    return {n: v for n in _COPIED if (v := getattr(told, n)) is not None}


def _measured(run: Run) -> Run:
    """Find the start from the duration, or the duration from the start, if the end bears a time."""
    if run.ended_at is None or run.untimed_since is not None:
        return run
    if run.started_at is None and run.duration_s is not None:
        return replace(run, started_at=run.ended_at - timedelta(seconds=run.duration_s))
    if run.started_at is not None and run.duration_s is None:
        return replace(run, duration_s=max(0.0, (run.ended_at - run.started_at).total_seconds()))
    return run


def start_of(run: Run) -> datetime:
    """Say when a run started, or, where nobody knows, when it did at the latest."""
    if run.started_at is not None:
        return run.started_at
    if run.ended_at is None:
        message = f"run {run.run} of {run.job} has neither start nor end"
        raise ValueError(message)
    return run.ended_at - timedelta(seconds=run.duration_s or 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """When a job was due, and since when it is owed.

    `taken`: the slots of which an end is known already. `boots`: when this host was booted, by the
    kernel's id, as far as that was seen; of use to `@reboot` jobs only.
    """

    schedule: Schedule
    owed_since: datetime
    taken: Container[datetime] = ()
    boots: Mapping[str, datetime] | None = None


def slot_of(run: Run, job: Job, calendar: Calendar) -> Slot:
    """Find the slot that a run belongs to.

    1. The slot that its writer named; of an `@reboot` job, the boot in which it ran.
    2. The latest slot of the named day that is not after its start.
    3. The latest slot not after its start, or only so much after it as clocks may differ
       (`early_start`). A run whose lines bear no time gets the benefit of the interval in which
       they were written: the first slot that it may have served in time and that is not taken.

    Where the job did not owe that slot, the run is judged by itself, at its start.
    """
    at = _slot_at(run, job, calendar)
    if at is None or at <= calendar.owed_since or skips(job, at):
        return make_slot(job, _with_offset(start_of(run), job.timezone), owed=False)
    return make_slot(job, at, starts=calendar.schedule.starts_at(at))


def skips(job: Job, at: datetime) -> bool:
    """Say whether maintenance makes a slot one that is not owed."""
    return window_at(job, at, MaintenanceMode.SKIP) is not None


def _with_offset(instant: datetime, zone: str) -> datetime:
    """Show an instant in a zone, with the fixed offset that the zone has then, as slots are."""
    local = instant.astimezone(ZoneInfo(zone))
    return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()), fold=0)


def make_slot(job: Job, at: datetime, *, owed: bool = True, starts: int = 1) -> Slot:
    """Build a job's slot with its deadline: slot + max_duration + grace."""
    window = timedelta(seconds=job.max_duration_s + job.grace_s)
    # Through UTC: adding to a local time would be an hour off across a change of the clock.
    deadline = (at.astimezone(UTC) + window).astimezone(at.tzinfo)
    return Slot(job=job.name, at=at, deadline=deadline, owed=owed, starts=starts)


def _slot_at(run: Run, job: Job, calendar: Calendar) -> datetime | None:
    schedule = calendar.schedule
    if run.slot_hint is not None:
        return schedule.latest_at(run.slot_hint)
    if run.boot is not None and calendar.boots is not None:
        booted = calendar.boots.get(run.boot)
        return None if booted is None else schedule.latest_at(booted)
    if run.run_date is not None and (named := _slot_of_day(run, schedule)) is not None:
        return named
    last = schedule.latest_at(start_of(run) + schedule.early_start)
    if last is None or run.untimed_since is None or run.started_at is not None:
        return last
    return _first_wanting(run, job, calendar, last)


def _slot_of_day(run: Run, schedule: Schedule) -> datetime | None:
    if run.run_date is None:
        return None
    zone = ZoneInfo(schedule.timezone)
    day_end = datetime.combine(run.run_date + timedelta(days=1), time(), zone)
    latest = min(start_of(run) + schedule.early_start, day_end - timedelta(microseconds=1))
    at = schedule.latest_at(latest)
    return at if at is not None and at.astimezone(zone).date() == run.run_date else None


def _first_wanting(run: Run, job: Job, calendar: Calendar, last: datetime) -> datetime:
    """Find the first slot up to `last` that a run without a time may have served in time."""
    schedule = calendar.schedule
    earliest = run.untimed_since or start_of(run)
    began = earliest - timedelta(seconds=run.duration_s or 0.0)
    at = schedule.latest_at(began + schedule.early_start)
    for _ in range(_MOST_SLOTS_SEARCHED):
        if at is None or at >= last:
            break
        owed = at > calendar.owed_since and not skips(job, at)
        if owed and at not in calendar.taken and make_slot(job, at).deadline > earliest:
            return at
        at = schedule.next_after(at)
    return last
