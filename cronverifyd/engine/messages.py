"""Put together what people are told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.judge.wording import plural
from cronverifyd.model import Alert, Notice, NoticeKind, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cronverifyd.engine.scope import Scope
    from cronverifyd.intake.rejected import Rejection
    from cronverifyd.model import AlertKind, Incident, Job, JudgedSlot, Mark, Run


def alert(
    kind: AlertKind, scope: Scope, incident: Incident, judged: JudgedSlot, run: Run | None
) -> Alert:
    """Tell of a job's incident. `run`: the one that decided the slot, if any."""
    job = scope.jobs[incident.job]
    return Alert(
        id=f"{incident.id}.{kind}",
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
    )
