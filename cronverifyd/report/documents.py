"""The documents behind the reading commands: from store and configuration to JSON shapes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cronverifyd.judge.runs import make_slot, skips
from cronverifyd.judge.schedule import parse
from cronverifyd.judge.verify import first_moment
from cronverifyd.model import BLIND, CRON, CUEAPI, Verdict
from cronverifyd.report.proof import unproven

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cronverifyd.model import (
        Artifact,
        Finding,
        Incident,
        Job,
        JudgedSlot,
        Mute,
        Run,
        Slot,
        Tenure,
    )
    from cronverifyd.scope import Scope
    from cronverifyd.store.reader import Reader

_STRIP = 14
_MOST_SKIPPED = 10_000
"""A window of maintenance may hold many slots, but not for ever."""
_GRACE_OF_THE_DAEMON = timedelta(seconds=30)
_FINDINGS_SHOWN = timedelta(days=7)


def status(scope: Scope, reader: Reader, now: datetime) -> dict[str, Any]:
    """Describe every watched job, and how well the whole is."""
    incidents, tenures, mutes = reader.open_incidents(), reader.tenures(), reader.mutes()
    boots = boots_of(reader)
    slots = {name: reader.last_slots(name, _STRIP) for name in scope.watched()}
    jobs = [
        _job(job, slots[name], incidents.get(name), tenures.get(name), next_slot(job, now, boots))
        | _muted(mutes.get(name), mutes.get(None))
        | {"last_ok": _text(reader.last_success(name))}
        for name, job in scope.watched().items()
    ]
    unseen = _unverified(scope, slots, reader, now)
    return {
        "healthy": not incidents and not unseen,
        "instance": scope.instance,
        "now": now.isoformat(),
        "jobs": jobs,
        "unverified": unseen,
        "cannot_see": _cannot_see(incidents.get(BLIND), reader, now),
        "cron_dead": _open_since(incidents.get(CRON)),
        "triggers_stopped": _open_since(incidents.get(CUEAPI)),
        "mutes": [mute_document(mute) for mute in mutes.values()],
        "findings": [_finding(f) for f in reader.findings(now - _FINDINGS_SHOWN)],
        "rejected": reader.rejected(),
        "channels": _channels(scope, reader),
        "unproven": list(unproven(scope, reader, now)),
        "undelivered": reader.undelivered(),
        "last_delivery": _text(reader.last_delivery()),
    }


def _unverified(
    scope: Scope, slots: Mapping[str, list[JudgedSlot]], reader: Reader, now: datetime
) -> list[str]:
    """Name the jobs of which a slot should have been judged by now, and was not.

    That is so when no daemon runs, or it hangs: then nobody checks, and silence means nothing.
    """
    patience = _GRACE_OF_THE_DAEMON + scope.fallback
    tenures, boots = reader.tenures(), boots_of(reader)
    late: list[str] = []
    for name, job in scope.watched().items():
        tenure = tenures.get(name)
        if tenure is None or not _in_force(tenure, job):
            continue
        moments = _moments(job, tenure, slots[name], boots)
        if min(moments, default=now) + patience < now:
            late.append(name)
    return late


def boots_of(reader: Reader) -> tuple[datetime, ...]:
    """Give the boots of this host that were seen, oldest first, as `@reboot` wants them."""
    return tuple(reader.boots().values())


def next_slot(job: Job, after: datetime, boots: tuple[datetime, ...]) -> Slot | None:
    """Find the next slot that a job owes; None: none is known, as of the next boot."""
    schedule = parse(job.schedule, job.timezone, boots)
    at = schedule.next_after(after)
    for _ in range(_MOST_SKIPPED):
        if at is None or not skips(job, at):
            break
        at = schedule.next_after(at)
    return None if at is None else make_slot(job, at, starts=schedule.starts_at(at))


def _in_force(tenure: Tenure, job: Job) -> bool:
    """Say whether the daemon watches the job as the configuration has it by now."""
    return tenure.active and (tenure.schedule, tenure.timezone) == (job.schedule, job.timezone)


def _moments(
    job: Job, tenure: Tenure, slots: list[JudgedSlot], boots: tuple[datetime, ...]
) -> Iterator[datetime]:
    """Say when a job's newest slots, and the next one, have to be judged by time alone."""
    yield from (s.judgment.until for s in slots if s.judgment.until is not None)
    judged = {s.slot.at for s in slots if s.judgment.verdict is not Verdict.PENDING}
    upcoming = next_slot(job, tenure.cursor, boots)
    while upcoming is not None and upcoming.at in judged:
        upcoming = next_slot(job, upcoming.at, boots)
    if upcoming is not None:
        yield first_moment(job, upcoming)


def history(job: Job, reader: Reader, count: int) -> dict[str, Any]:
    """Describe a job's newest slots with their runs, newest first."""
    slots = reader.last_slots(job.name, count)
    return {"job": job.name, "slots": [_slot(judged, reader) for judged in slots]}


def run_document(run: Run) -> dict[str, Any]:
    """Describe one run."""
    return {
        "run": run.run,
        "started_at": _text(run.started_at),
        "ended_at": _text(run.ended_at),
        "status": run.status,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "error": run.error,
        "duration_s": run.duration_s,
        "cpu_s": run.cpu_s,
        "max_rss_kb": run.max_rss_kb,
        "metrics": dict(run.metrics) if run.metrics else {},
        "output_tail": run.output_tail,
        "output_bytes": run.output_bytes,
        "output_lines": run.output_lines,
        "user": run.user,
        "host": run.host,
        "command": run.command,
        "lost_at": _text(run.lost_at),
        "loss": run.loss,
        "artifacts": [artifact_document(made) for made in run.artifacts or ()],
        "writer_uid": run.writer_uid,
        "spoofed": run.spoofed,
    }


def artifact_document(made: Artifact) -> dict[str, Any]:
    """Describe what was found for one of a job's artifact rules."""
    return {
        "path": made.rule,
        "found": made.found,
        "size": made.size,
        "modified_at": _text(made.modified_at),
        "usual_size": made.usual_size,
        "same_as_last": made.same_as_last,
        "fault": made.fault,
    }


def _job(
    job: Job,
    strip: list[JudgedSlot],
    incident: Incident | None,
    tenure: Tenure | None,
    upcoming: Slot | None,
) -> dict[str, Any]:
    due = next((s for s in strip if s.judgment.verdict is not Verdict.PENDING), None)
    shown = due or (strip[0] if strip else None)
    awaited = shown.slot if shown else upcoming
    waiting = "not seen by the daemon yet" if tenure is None else "its first slot is still to come"
    return {
        "job": job.name,
        "schedule": job.schedule,
        "timezone": job.timezone,
        "verdict": shown.judgment.verdict if shown else Verdict.PENDING,
        "reason": shown.judgment.reason if shown else waiting,
        "slot": shown.slot.at.isoformat() if shown else None,
        "triggered_by": shown.triggered_by if shown else None,
        "next": upcoming.at.isoformat() if upcoming else None,
        "deadline": awaited.deadline.isoformat() if awaited else None,
        "incident": _incident(incident),
        "strip": [s.judgment.verdict for s in reversed(strip)],
    }


def _incident(incident: Incident | None) -> dict[str, Any] | None:
    if incident is None:
        return None
    return {
        "id": incident.id,
        "since": incident.opened_at.isoformat(),
        "slots": incident.slots,
        "acked": incident.acked_at is not None,
        "cause": incident.because,
    }


def _muted(*mutes: Mute | None) -> dict[str, Any]:
    """Say until when nobody is told of a job: until the last of its mutes is over."""
    ends = [mute.until for mute in mutes if mute is not None]
    return {"muted_until": _text(max(ends, default=None))}


def mute_document(mute: Mute) -> dict[str, Any]:
    """Describe a mute; `job` null: of everything."""
    return {
        "job": mute.job,
        "since": mute.since.isoformat(),
        "until": mute.until.isoformat(),
        "who": mute.who,
        "reason": mute.reason,
        "swallowed": mute.swallowed,
    }


def _channels(scope: Scope, reader: Reader) -> list[dict[str, Any]]:
    """Say of each channel when it last took a message, and since when one waits for it."""
    took, waiting = reader.last_deliveries(), reader.waiting_since()
    return [
        {
            "channel": channel.name,
            "kind": channel.kind,
            "last_delivery": _text(took.get(name)),
            "waiting_since": _text(waiting.get(name)),
        }
        for name, channel in scope.channels.items()
    ]


def _cannot_see(incident: Incident | None, reader: Reader, now: datetime) -> dict[str, Any] | None:
    """Describe the incident of the outcome files, with the holes that it is about."""
    if incident is None:
        return None
    holes = reader.holes(min(incident.first_slot, now))
    return {
        "id": incident.id,
        "since": incident.opened_at.isoformat(),
        "acked": incident.acked_at is not None,
        "files": [
            {
                "path": hole.path,
                "reason": hole.reason,
                "since": hole.since.isoformat(),
                "until": _text(hole.until),
            }
            for hole in holes
        ],
    }


def _open_since(incident: Incident | None) -> dict[str, Any] | None:
    """Describe the incident of a cron that is not running, or of triggers that have stopped."""
    if incident is None:
        return None
    acked = incident.acked_at is not None
    return {"id": incident.id, "since": incident.first_slot.isoformat(), "acked": acked}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "job": finding.job,
        "kind": finding.kind,
        "run": finding.run,
        "at": finding.at.isoformat(),
        "text": finding.text,
    }


def _slot(judged: JudgedSlot, reader: Reader) -> dict[str, Any]:
    slot, judgment = judged.slot, judged.judgment
    return {
        "slot": slot.at.isoformat(),
        "deadline": slot.deadline.isoformat(),
        "verdict": judgment.verdict,
        "reason": judgment.reason,
        "owed": slot.owed,
        "starts": slot.starts,
        "quiet": judged.quiet,
        "decided_at": judged.decided_at.isoformat(),
        "found_late": judged.found_late,
        "triggered_by": judged.triggered_by,
        "runs": [run_document(run) for run in reader.newest_runs_of(slot.job, slot.at)],
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
