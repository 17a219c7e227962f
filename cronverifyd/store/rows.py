"""Rows to nouns and back; nobody outside this room sees a row."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cronverifyd.model import (
    Artifact,
    Finding,
    FindingKind,
    Hole,
    Incident,
    JudgedSlot,
    Judgment,
    Loss,
    Mute,
    Run,
    Slot,
    Tenure,
    TriggeredBy,
    Verdict,
)
from cronverifyd.store.instants import from_us, from_us_or_none, to_us, to_us_or_none

if TYPE_CHECKING:
    import sqlite3

_PLAIN = (
    "run",
    "job",
    "status",
    "exit_code",
    "signal",
    "error",
    "duration_s",
    "cpu_s",
    "max_rss_kb",
    "output_tail",
    "output_bytes",
    "output_lines",
    "host",
    "user",
    "uid",
    "pid",
    "pid_start",
    "wrapper_pid",
    "boot",
    "command",
    "extra",
    "writer_uid",
)
RUN_COLUMNS = (
    *_PLAIN,
    "slot_us",
    "started_us",
    "ended_us",
    "untimed_since_us",
    "slot_hint_us",
    "run_date",
    "metrics",
    "lost_us",
    "loss",
    "artifacts",
    "spoofed",
)
RUN_LIST = ", ".join(RUN_COLUMNS)

SLOT_COLUMNS = (
    "job",
    "slot_us",
    "slot",
    "deadline_us",
    "owed",
    "verdict",
    "reason",
    "until_us",
    "run",
    "decided_us",
    "found_late",
    "triggered_by",
    "starts",
    "incident",
    "quiet",
)
SLOT_LIST = ", ".join(SLOT_COLUMNS)

INCIDENT_COLUMNS = (
    "id",
    "job",
    "opened_us",
    "first_slot_us",
    "last_bad_slot_us",
    "slots",
    "announced",
    "closed_us",
    "close_reason",
    "flapping",
    "reminders",
    "acked_us",
    "cause",
    "because",
)
INCIDENT_LIST = ", ".join(INCIDENT_COLUMNS)


def run_row(run: Run, slot: datetime) -> tuple[Any, ...]:
    """Lay a run out in the order of RUN_COLUMNS."""
    return (
        *(getattr(run, name) for name in _PLAIN),
        to_us(slot),
        to_us_or_none(run.started_at),
        to_us_or_none(run.ended_at),
        to_us_or_none(run.untimed_since),
        to_us_or_none(run.slot_hint),
        run.run_date.isoformat() if run.run_date else None,
        msgspec.json.encode(run.metrics).decode() if run.metrics else None,
        to_us_or_none(run.lost_at),
        run.loss,
        None if run.artifacts is None else msgspec.json.encode(run.artifacts).decode(),
        run.spoofed,
    )


def run_of(row: sqlite3.Row) -> Run:
    """Read a run from a row of RUN_COLUMNS."""
    return Run(
        **{name: row[name] for name in _PLAIN},
        started_at=from_us_or_none(row["started_us"]),
        ended_at=from_us_or_none(row["ended_us"]),
        untimed_since=from_us_or_none(row["untimed_since_us"]),
        slot_hint=from_us_or_none(row["slot_hint_us"]),
        run_date=date.fromisoformat(row["run_date"]) if row["run_date"] else None,
        metrics=msgspec.json.decode(row["metrics"]) if row["metrics"] else None,
        lost_at=from_us_or_none(row["lost_us"]),
        loss=Loss(row["loss"]) if row["loss"] else None,
        artifacts=_artifacts_of(row["artifacts"]),
        spoofed=bool(row["spoofed"]),
    )


def _artifacts_of(text: str | None) -> tuple[Artifact, ...] | None:
    return None if text is None else msgspec.json.decode(text, type=tuple[Artifact, ...])


def slot_row(judged: JudgedSlot) -> tuple[Any, ...]:
    """Lay a judged slot out in the order of SLOT_COLUMNS."""
    slot, judgment = judged.slot, judged.judgment
    return (
        slot.job,
        to_us(slot.at),
        slot.at.isoformat(),
        to_us(slot.deadline),
        slot.owed,
        judgment.verdict,
        judgment.reason,
        to_us_or_none(judgment.until),
        judgment.run,
        to_us(judged.decided_at),
        judged.found_late,
        judged.triggered_by,
        slot.starts,
        judged.incident,
        judged.quiet,
    )


def slot_of(row: sqlite3.Row) -> JudgedSlot:
    """Read a judged slot from a row of SLOT_COLUMNS; its instants carry the slot's offset."""
    at = datetime.fromisoformat(row["slot"])
    deadline = from_us(row["deadline_us"]).astimezone(at.tzinfo)
    return JudgedSlot(
        slot=Slot(
            job=row["job"],
            at=at,
            deadline=deadline,
            owed=bool(row["owed"]),
            starts=row["starts"],
        ),
        judgment=Judgment(
            verdict=Verdict(row["verdict"]),
            reason=row["reason"],
            until=from_us_or_none(row["until_us"]),
            run=row["run"],
        ),
        decided_at=from_us(row["decided_us"]),
        found_late=bool(row["found_late"]),
        triggered_by=TriggeredBy(row["triggered_by"]),
        incident=row["incident"],
        quiet=bool(row["quiet"]),
    )


def incident_row(incident: Incident) -> tuple[Any, ...]:
    """Lay an incident out in the order of INCIDENT_COLUMNS."""
    return (
        incident.id,
        incident.job,
        to_us(incident.opened_at),
        to_us(incident.first_slot),
        to_us(incident.last_bad_slot),
        incident.slots,
        incident.announced,
        to_us_or_none(incident.closed_at),
        incident.close_reason,
        incident.flapping,
        incident.reminders,
        to_us_or_none(incident.acked_at),
        incident.cause,
        incident.because,
    )


def incident_of(row: sqlite3.Row) -> Incident:
    """Read an incident from a row of INCIDENT_COLUMNS."""
    return Incident(
        id=row["id"],
        job=row["job"],
        opened_at=from_us(row["opened_us"]),
        first_slot=from_us(row["first_slot_us"]),
        last_bad_slot=from_us(row["last_bad_slot_us"]),
        slots=row["slots"],
        announced=bool(row["announced"]),
        closed_at=from_us_or_none(row["closed_us"]),
        close_reason=row["close_reason"],
        flapping=bool(row["flapping"]),
        reminders=row["reminders"],
        acked_at=from_us_or_none(row["acked_us"]),
        cause=row["cause"],
        because=row["because"],
    )


def mute_of(row: sqlite3.Row) -> Mute:
    """Read a mute."""
    return Mute(
        job=row["job"] or None,
        since=from_us(row["since_us"]),
        until=from_us(row["until_us"]),
        who=row["who"],
        reason=row["reason"],
        swallowed=row["swallowed"],
    )


def tenure_of(row: sqlite3.Row) -> Tenure:
    """Read since when a job is owed."""
    return Tenure(
        job=row["name"],
        schedule=row["schedule"],
        timezone=row["timezone"],
        owed_since=from_us(row["owed_since_us"]),
        cursor=from_us(row["cursor_us"]),
        active=bool(row["active"]),
    )


def hole_of(row: sqlite3.Row) -> Hole:
    """Read a hole."""
    return Hole(
        path=row["path"],
        since=from_us(row["since_us"]),
        until=from_us_or_none(row["until_us"]),
        reason=row["reason"],
        writer_uid=row["writer_uid"],
    )


def finding_of(row: sqlite3.Row) -> Finding:
    """Read a finding."""
    return Finding(
        job=row["job"],
        kind=FindingKind(row["kind"]),
        run=row["run"],
        at=from_us(row["at_us"]),
        text=row["text"],
    )
