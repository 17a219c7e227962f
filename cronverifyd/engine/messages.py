"""Put together what people are told. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronverifyd.judge.wording import plural
from cronverifyd.model import (
    Alert,
    AlertKind,
    Digest,
    FindingKind,
    Notice,
    NoticeKind,
    Severity,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cronverifyd.intake.rejected import Rejection
    from cronverifyd.model import (
        Finding,
        Hole,
        Incident,
        Job,
        JudgedSlot,
        Mark,
        Message,
        Mute,
        Rehearsed,
        Run,
    )
    from cronverifyd.scope import Scope

_FINDINGS = {
    FindingKind.DUPLICATE: (
        "{} ran once more than it was due",
        "cronverifyd history {}; does its line stand in two crontabs?",
    ),
    FindingKind.OFF_SCHEDULE: (
        "{} ran when it was not due",
        "cronverifyd history {}; was its crontab line changed, or was it started by hand?",
    ),
    FindingKind.OVERLAP: (
        "{} began before its last run had ended",
        "cronverifyd history {}; flock(1) in its crontab line keeps one run from the next",
    ),
    FindingKind.UNREGISTERED: (
        "{} ran and stands in no configuration",
        "add [jobs.{}] to the configuration, or mend the name in the crontab line",
    ),
    FindingKind.SPOOFED: (
        "somebody else has written outcomes of {}; they do not count",
        "cronverifyd history {}; see who writes that file, and the job's `user`",
    ),
}
_MOST_NAMED = 10
_MOST_OWED = 40


def alert(
    kind: AlertKind, scope: Scope, incident: Incident, judged: JudgedSlot, run: Run | None
) -> Alert:
    """Tell of a job's incident. `run`: the one that decided the slot, if any."""
    job = scope.jobs[incident.job]
    return Alert(
        id=f"{incident.id}.{kind}" + (f".{incident.reminders}" if incident.reminders else ""),
        incident=incident.id,
        kind=kind,
        job=job.name,
        instance=scope.instance,
        severity=job.severity,
        verdict=judged.judgment.verdict,
        reason=judged.judgment.reason,
        slot=judged.slot.at,
        deadline=judged.slot.deadline,
        owed=judged.slot.owed,
        schedule=job.schedule,
        timezone=job.timezone,
        expected_status=job.expected_status,
        opened_at=incident.opened_at,
        slots=incident.slots,
        created_at=judged.decided_at if incident.closed_at is None else incident.closed_at,
        closed_at=incident.closed_at,
        found_late=judged.found_late,
        run=run.run if run else None,
        status=run.status if run else None,
        exit_code=run.exit_code if run else None,
        signal=run.signal if run else None,
        error=run.error if run else None,
        started_at=run.started_at if run else None,
        ended_at=run.ended_at if run else None,
        duration_s=run.duration_s if run else None,
        output_tail=run.output_tail if run else None,
        host=run.host if run else None,
        user=run.user if run else None,
        command=run.command if run else None,
        runbook=job.runbook,
    )


def gathered(scope: Scope, told: Sequence[Alert | Notice], row: str, now: datetime) -> Message:
    """Make one message of all that a channel has to be told. `row`: the first one's in the outbox.

    Of each incident only the newest word counts; where that is a recovery of which the failure was
    not told, it says so.
    """
    newest: dict[str, Alert | Notice] = {}
    for message in told:
        key = message.incident or message.id
        before = newest.pop(key, None)  # what is newer stands at the end of the row
        newest[key] = message if before is None else overtaking(message, before)
    parts = tuple(newest.values())
    if len(parts) == 1:
        return parts[0]
    return Digest(
        id=f"digest-{row}",
        instance=scope.instance,
        severity=min((part.severity for part in parts), key=list(Severity).index),
        created_at=now,
        parts=parts,
        may_repeat=any(part.may_repeat for part in parts),
    )


def overtaking(last: Alert | Notice, before: Alert | Notice) -> Alert | Notice:
    """Let a recovery that overtakes its failure say what was wrong."""
    if not isinstance(last, Alert) or last.kind is not AlertKind.RECOVERED:
        return last
    if not isinstance(before, Alert) or before.kind is AlertKind.RECOVERED:
        return last
    may_repeat = last.may_repeat or before.may_repeat
    unheard = f"{before.verdict}: {before.reason}"
    return replace(last, unheard=unheard, may_repeat=may_repeat)


def rejected_lines(
    scope: Scope, mark: Mark, rejections: Sequence[Rejection], now: datetime
) -> Notice:
    """Tell, once a file, that some of its lines are not outcomes."""
    first = rejections[0]
    return Notice(
        id=f"rejected-{mark.file_id}",
        kind=NoticeKind.REJECTED,
        instance=scope.instance,
        severity=Severity.WARNING,
        title=f"{plural(len(rejections), 'line')} of {mark.path} cannot be read as outcomes",
        text=f"the first one, at byte {first.offset}: {first.reason}",
        remedy=f"look into {scope.state_dir}/rejected.jsonl and mend what writes such lines;"
        " more of them in this file are counted without another message",
        created_at=now,
    )


def unwatched(scope: Scope, job: Job | None, incident: Incident, now: datetime) -> Notice:
    """Tell that an incident closes because its job was disabled (or, with None, removed)."""
    what = "removed from" if job is None else "disabled in"
    return Notice(
        id=f"{incident.id}.closed",
        kind=NoticeKind.CONFIG,
        instance=scope.instance,
        severity=Severity.INFO,
        title=f"{incident.job} is no longer watched: it was {what} the configuration",
        text=f"its incident {incident.id} is closed; it was not well when that happened",
        remedy="put it back if nobody meant to stop watching it",
        created_at=now,
        job=incident.job,
    )


def finding(scope: Scope, found: Finding, now: datetime) -> Notice:
    """Tell of something odd about a run; no slot is bad because of it."""
    title, remedy = _FINDINGS[found.kind]
    return Notice(
        id=f"{found.kind}-{found.job}-{found.run}",
        kind=NoticeKind.FINDING,
        instance=scope.instance,
        severity=Severity.WARNING,
        title=title.format(found.job),
        text=found.text,
        remedy=remedy.format(found.job),
        created_at=now,
        job=found.job,
    )


def blind(
    scope: Scope, incident: Incident, hole: Hole, jobs: Sequence[str], now: datetime
) -> Notice:
    """Tell that nobody can see how some jobs did: the incident of the outcome files opens."""
    return Notice(
        id=f"{incident.id}.opened",
        kind=NoticeKind.BLIND,
        instance=scope.instance,
        severity=Severity.CRITICAL,
        title=f"cannot see how {_named(jobs)} did",
        text=_hidden(hole),
        remedy=_remedy(hole),
        created_at=now,
        incident=incident.id,
    )


def sighted(scope: Scope, incident: Incident, now: datetime) -> Notice:
    """Tell that the incident of the outcome files is over."""
    return Notice(
        id=f"{incident.id}.recovered",
        kind=NoticeKind.SIGHTED,
        instance=scope.instance,
        severity=Severity.CRITICAL,
        title="the outcome files can be seen again",
        text="every job that was hidden has been seen since; what was written is read and judged",
        remedy="",
        created_at=now,
        incident=incident.id,
    )


def still_blind(
    scope: Scope, incident: Incident, hole: Hole, jobs: Sequence[str], now: datetime
) -> Notice:
    """Tell once more that nobody can see how some jobs did."""
    return replace(
        blind(scope, incident, hole, jobs, now),
        id=f"{incident.id}.reminded.{incident.reminders}",
        title=f"still cannot see how {_named(jobs) or 'some jobs'} did",
    )


def cron_is_dead(scope: Scope, incident: Incident, cause: str, now: datetime) -> Notice:
    """Tell that no cron is running, before the jobs that it should start are missed."""
    return Notice(
        id=f"{incident.id}.opened",
        kind=NoticeKind.CRON_DEAD,
        instance=scope.instance,
        severity=Severity.CRITICAL,
        title="cron is not running",
        text=f"{cause}; no job of its crontabs is started",
        remedy="systemctl status cron; systemctl start cron",
        created_at=now,
        incident=incident.id,
    )


def cron_still_dead(
    scope: Scope, incident: Incident, owed: Sequence[tuple[datetime, str]], now: datetime
) -> Notice:
    """Tell once more that no cron is running, and which slots nobody has started."""
    since = incident.first_slot.strftime("%Y-%m-%d %H:%M:%SZ")
    return replace(
        cron_is_dead(scope, incident, f"none is running since {since}", now),
        id=f"{incident.id}.reminded.{incident.reminders}",
        title="cron is still not running",
        text=f"none is running since {since}; {_owed(owed)}",
    )


def unmuted(scope: Scope, mute: Mute, kept: Sequence[Alert | Notice], now: datetime) -> Notice:
    """Tell what a mute that is over has swallowed. `kept`: the messages, oldest first."""
    whom = "all jobs" if mute.job is None else mute.job
    lines = [_in_a_line(message) for message in kept[:_MOST_OWED]]
    more = len(kept) - len(lines)
    why = f" ({mute.reason})" if mute.reason else ""
    return Notice(
        id=f"unmuted-{mute.job or '~'}-{now.isoformat()}",
        kind=NoticeKind.UNMUTED,
        instance=scope.instance,
        severity=Severity.INFO,
        title=f"the mute of {whom} is over: it swallowed {plural(len(kept), 'message')}",
        text="\n".join(
            [f"muted since {mute.since:%Y-%m-%d %H:%M:%SZ}{why}", *lines]
            + ([f"and {more} more"] if more else [])
        ),
        remedy="what is not well by now is told again; cronverifyd status shows all",
        created_at=now,
        job=mute.job,
    )


def drill(scope: Scope, run: str, seen: str, now: datetime) -> Notice:
    """Tell a channel that alerts arrive on it. `seen`: what the drill's run did; empty: weekly."""
    title = f"DRILL: alerts of {scope.instance} arrive here; nothing is wrong"
    if not seen:
        title = f"Weekly drill: alerts of {scope.instance} arrive here"
    return Notice(
        id=f"drill-{run}",
        kind=NoticeKind.DRILL,
        instance=scope.instance,
        severity=Severity.INFO,
        title=title,
        text=seen,
        remedy="",
        created_at=now,
    )


def drill_failed(scope: Scope, rehearsed: Rehearsed, now: datetime) -> Notice:
    """Tell that the weekly drill found a link that does not hold."""
    return Notice(
        id=f"drill-failed-{rehearsed.run}",
        kind=NoticeKind.CONFIG,
        instance=scope.instance,
        severity=Severity.WARNING,
        title="the weekly drill could not be run",
        text=rehearsed.fault,
        remedy="cronverifyd drill shows which link does not hold",
        created_at=now,
    )


def _in_a_line(message: Alert | Notice) -> str:
    if isinstance(message, Notice):
        return message.title
    what = "is well again" if message.kind is AlertKind.RECOVERED else message.reason
    return f"{message.job} {message.kind}: {what} (incident {message.incident})"


def _owed(owed: Sequence[tuple[datetime, str]]) -> str:
    """Say which slots are owed, a line each."""
    if not owed:
        return "no slot is owed"
    lines = [f"{job}, due {at.isoformat()}" for at, job in owed[:_MOST_OWED]]
    more = len(owed) - len(lines)
    verb = "slot is" if len(owed) == 1 else "slots are"
    return "\n".join([f"{len(owed)} {verb} owed:", *lines, *([f"and {more} more"] if more else [])])


def cron_is_back(
    scope: Scope, incident: Incident, owed: Sequence[tuple[datetime, str]], now: datetime
) -> Notice:
    """Tell that a cron is running again, and which slots nobody started meanwhile."""
    return Notice(
        id=f"{incident.id}.recovered",
        kind=NoticeKind.CRON_BACK,
        instance=scope.instance,
        severity=Severity.CRITICAL,
        title="cron is running again",
        text=_owed(owed),
        remedy="start by hand what is owed" if owed else "",
        created_at=now,
        incident=incident.id,
    )


def triggers_lost(scope: Scope, incident: Incident, jobs: Sequence[str], now: datetime) -> Notice:
    """Tell that CueAPI has stopped triggering; the local timer judges in its place."""
    since = incident.first_slot.strftime("%Y-%m-%d %H:%M:%SZ")
    opened = incident.reminders == 0
    whom = f" for {_named(jobs)}" if jobs else ""
    return Notice(
        id=f"{incident.id}.{'opened' if opened else f'reminded.{incident.reminders}'}",
        kind=NoticeKind.CUEAPI_LOST,
        instance=scope.instance,
        severity=Severity.WARNING,
        title=f"CueAPI has {'' if opened else 'still '}not triggered since {since}",
        text=f"triggers that were due did not come{whom}; the timer of this host judges meanwhile",
        remedy="cronverifyd cue status; does the tunnel to [listen] trigger stand?",
        created_at=now,
        incident=incident.id,
    )


def triggers_back(scope: Scope, incident: Incident, now: datetime) -> Notice:
    """Tell that CueAPI triggers again."""
    return Notice(
        id=f"{incident.id}.recovered",
        kind=NoticeKind.CUEAPI_BACK,
        instance=scope.instance,
        severity=Severity.WARNING,
        title="CueAPI triggers again",
        text=f"it had not since {incident.first_slot:%Y-%m-%d %H:%M:%SZ}",
        remedy="",
        created_at=now,
        incident=incident.id,
    )


def lines_lost(scope: Scope, hole: Hole, jobs: Sequence[str], now: datetime) -> Notice:
    """Tell of a hole that hides no slot, or that came while the incident is open already."""
    whom = f"it hides how {_named(jobs)} did" if jobs else "no slot of a job is hidden by it"
    return Notice(
        id=f"hole-{hole.since.isoformat()}-{hole.path}",
        kind=NoticeKind.BLIND,
        instance=scope.instance,
        severity=Severity.WARNING,
        title=f"{hole.path} {hole.reason}",
        text=f"{_hidden(hole)}; {whom}",
        remedy=_remedy(hole),
        created_at=now,
    )


def _named(jobs: Sequence[str]) -> str:
    if len(jobs) <= _MOST_NAMED:
        return ", ".join(jobs)
    return f"{', '.join(jobs[:_MOST_NAMED])} and {len(jobs) - _MOST_NAMED} more jobs"


def _hidden(hole: Hole) -> str:
    since = hole.since.strftime("%Y-%m-%d %H:%M:%SZ")
    if hole.until is None:
        return f"{hole.path} {hole.reason}; nothing that was written since {since} can be seen"
    until = hole.until.strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{hole.path} {hole.reason}; lines written between {since} and {until} may be lost"


def _remedy(hole: Hole) -> str:
    if hole.until is None:
        return f"ls -l {hole.path}; the daemon's user must be able to read it"
    return "rotate outcome files by renaming them (logrotate: never copytruncate), never empty them"
