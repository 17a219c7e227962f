"""Jobs, slots and runs, each with only what a test varies. The day is 2024-05-15, the zone UTC."""

import json
from datetime import UTC, datetime, timedelta

from cronverifyd.judge.incidents import Recent, step
from cronverifyd.judge.runs import make_slot
from cronverifyd.model import (
    Event,
    EventKind,
    Hole,
    Job,
    JudgedSlot,
    Judgment,
    Loss,
    Run,
    TriggeredBy,
    Verdict,
)

DAY = "2024-05-15"


def at(text):
    """Read `03:00`, `03:00:07.5` (of the day) or a whole RFC 3339 instant."""
    if "-" not in text:
        text = f"{DAY}T{text if len(text) > 5 else text + ':00'}+00:00"
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def job(**changed):
    """Build a job that is due at 03:00 and has until 04:05."""
    given = {
        "name": "db-backup",
        "schedule": "0 3 * * *",
        "timezone": "UTC",
        "max_duration_s": 3600.0,
        "grace_s": 300.0,
        "channels": ("ops",),
    }
    return Job(**(given | changed))


def slot(text, of=None, *, owed=True, starts=1):
    return make_slot(of or job(), at(text), owed=owed, starts=starts)


def run(started, ended=None, status=None, **changed):
    """Build a run; one that ended did so with success unless told otherwise."""
    word = status or ("running" if ended is None else "success")
    given = {
        "run": "r1",
        "job": "db-backup",
        "started_at": at(started) if started else None,
        "ended_at": at(ended) if ended else None,
        "status": word,
    }
    return Run(**(given | changed))


def lost(started, seen, loss="gone", **changed):
    """Build a run whose end will never be recorded, which was seen at an instant."""
    return run(started, lost_at=at(seen), loss=Loss(loss), **changed)


def untimed(since, until, **changed):
    """Build a run that ended at a time that nobody told; its line was written in the interval."""
    return run(None, until, untimed_since=at(since), **changed)


def hole(since, until=None, **changed):
    """Build a hole in the outcome file; without an end, it lasts."""
    given = {
        "path": "/o.jsonl",
        "since": at(since),
        "until": at(until) if until else None,
        "reason": "was truncated" if until else "cannot be read: Permission denied",
    }
    return Hole(**(given | changed))


def event(kind, when=None, **changed):
    given = {"job": "db-backup", "kind": EventKind(kind), "at": at(when) if when else None}
    if kind == "finish":
        given["status"] = "success"
    return Event(**(given | changed))


def judged(text, verdict, **changed):
    """Build a slot with its verdict."""
    given = {
        "slot": slot(text),
        "judgment": Judgment(verdict=Verdict(verdict), reason="because"),
        "decided_at": at(text),
        "found_late": False,
        "triggered_by": TriggeredBy.FILE,
    }
    return JudgedSlot(**(given | changed))


def incident(text, opened_at, verdict="missed"):
    """Open the incident of a bad slot."""
    bad = judged(text, verdict)
    return step(None, bad, Recent([bad]), job(), at(opened_at)).incident


def line(job_name="db-backup", **keys):
    """Write a line of the outcome file, newline included; no time is given unless told."""
    given = {k: v for k, v in keys.items() if v is not None}
    for key in ("at", "started_at", "slot"):
        if key in given:
            given[key] = at(given[key]).isoformat()
    return json.dumps({"job": job_name} | given).encode() + b"\n"


def started(when, run_id="r1", job_name="db-backup", **keys):
    return line(job_name, event="start", run=run_id, at=when, **keys)


def finished(when, status="success", run_id="r1", job_name="db-backup", **keys):
    return line(job_name, event="finish", run=run_id, at=when, status=status, **keys)


def minutes(count):
    return timedelta(minutes=count)


def seconds(count):
    return timedelta(seconds=count)
