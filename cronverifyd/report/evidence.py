"""What `why` tells: sentences in the order in which an operator asks."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cronverifyd.host.processes import Processes
from cronverifyd.judge.artifact import broken
from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.expect import evaluate
from cronverifyd.judge.expect import parse as parse_assertion
from cronverifyd.judge.maintenance import window_at
from cronverifyd.judge.size import format_size
from cronverifyd.judge.wording import plural
from cronverifyd.model import Loss, MaintenanceMode, Verdict
from cronverifyd.report.documents import boots_of, next_slot, run_document
from cronverifyd.tell.text import last_lines, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, tzinfo

    from cronverifyd.model import DeliveryRow, Incident, Job, JudgedSlot, Run
    from cronverifyd.store.reader import Reader

_ROW = 14
_FINDINGS_SHOWN = timedelta(days=7)
_MOST_FINDINGS = 3
_OUTPUT_LINES = 20
_OUTPUT_CHARACTERS = 4_000
_LOSSES = {
    Loss.GONE: "process {} is gone, and so is its wrapper",
    Loss.ORPHANED: "its wrapper is gone; the job itself still ran as process {}",
    Loss.REBOOTED: "the host was rebooted while process {} ran",
}


def why(job: Job, reader: Reader, now: datetime) -> dict[str, Any]:
    """Gather the evidence about a job's last due slot, or about one that is still pending."""
    judged = reader.last_due(job.name) or next(iter(reader.last_slots(job.name, 1)), None)
    runs = reader.newest_runs_of(job.name, judged.slot.at) if judged else []
    incident = reader.last_incident(job.name)
    deliveries = reader.deliveries(incident.id) if incident else []
    sound = [run for run in runs if not run.spoofed]
    zone = ZoneInfo(job.timezone)
    evidence = [
        *_slot(job, judged, zone),
        *_quiet(job, judged, zone),
        *_runs(runs, zone),
        *_host(sound, zone),
        *_assertions(job, sound),
        *_artifacts(job, sound, zone),
        *_output(sound),
        *_holes(judged, reader, zone),
        *_findings(job, reader, now, zone),
        *_row(job, judged, reader),
        *_incident(incident, now, zone),
        *_mutes(job, reader, zone),
        *(_delivery(row, zone) for row in deliveries),
        *_around(job, reader, now, zone),
    ]
    return {
        "job": job.name,
        "slot": judged.slot.at.isoformat() if judged else None,
        "verdict": judged.judgment.verdict if judged else Verdict.PENDING,
        "reason": judged.judgment.reason if judged else "no slot has been judged yet",
        "evidence": evidence,
        "runs": [run_document(run) for run in runs],
        "alerts": [
            {
                "channel": row.channel,
                "kind": row.kind,
                "state": row.state,
                "at": row.sent_at.isoformat() if row.sent_at else None,
            }
            for row in deliveries
        ],
    }


def _piece(kind: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "text": text}


def _when(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M:%S %z")


def _slot(job: Job, judged: JudgedSlot | None, zone: tzinfo) -> Iterator[dict[str, Any]]:
    window = (
        f"schedule {job.schedule} ({job.timezone}), max_duration"
        f" {format_duration(job.max_duration_s)}, grace {format_duration(job.grace_s)}"
    )
    if judged is None:
        yield _piece("schedule", window)
        return
    slot = judged.slot
    if slot.owed:
        text = f"due {_when(slot.at, zone)}, deadline {_when(slot.deadline, zone)}\n{window}"
    else:
        text = f"not due: a run of {_when(slot.at, zone)}, judged by itself\n{window}"
    yield _piece("slot", text)
    found = ", found late: it happened while nobody looked" if judged.found_late else ""
    decided = f"decided {_when(judged.decided_at, zone)}{found}"
    yield _piece("verdict", f"{decided}; looked at because of: {judged.triggered_by}")


def _quiet(job: Job, judged: JudgedSlot | None, zone: tzinfo) -> Iterator[dict[str, Any]]:
    if judged is None or not judged.quiet:
        return
    window = window_at(job, judged.slot.at, MaintenanceMode.MUTE)
    until = f" until {_when(window.until, zone)}" if window else ""
    yield _piece("quiet", f"in maintenance{until}: it neither breaks nor counts")


def _runs(runs: list[Run], zone: tzinfo) -> Iterator[dict[str, Any]]:
    if all(run.spoofed for run in runs):
        which = "that counts " if runs else ""
        yield _piece("run", f"no line of the outcome files {which}tells of a run for it")
    for run in runs:
        yield _piece("run", _run(run, zone))


def _run(run: Run, zone: tzinfo) -> str:
    facts = [
        f"started {_when(run.started_at, zone)}" if run.started_at else "start unknown",
        f"ended {_when(run.ended_at, zone)}" if run.ended_at else "no end recorded",
        f"after {format_duration(run.duration_s)}" if run.duration_s is not None else "",
        f"status {one_line(run.status, 40)}" if run.status else "",
        f"exit code {run.exit_code}" if run.exit_code is not None else "",
        f"killed by {one_line(run.signal, 20)}" if run.signal else "",
        f"CPU {format_duration(run.cpu_s)}" if run.cpu_s is not None else "",
        f"memory at most {run.max_rss_kb / 1024:.0f} MB" if run.max_rss_kb else "",
        f"as {one_line(run.user, 40)}" if run.user else "",
        f"on {one_line(run.host, 80)}" if run.host else "",
    ]
    text = ", ".join(fact for fact in facts if fact)
    if run.spoofed:
        text = f"spoofed, counts for nothing: {_whose(run)}; it says: {text}"
    if run.command:
        text += f"\ncommand: {one_line(run.command, 400)}"
    if run.error:
        text += f"\nerror: {one_line(run.error, 400)}"
    for name, value in (run.metrics or {}).items():
        text += f"\nmetric {one_line(name, 80)} = {value:g}"
    return text


def _whose(run: Run) -> str:
    if run.writer_uid is None:
        return "its file can be written by others as well"
    return f"its file belongs to the user {run.writer_uid}"


def _assertions(job: Job, runs: list[Run]) -> Iterator[dict[str, Any]]:
    """Show each assertion with the value that it saw in the newest run that has ended."""
    ended = next((run for run in runs if run.ended_at), None)
    if ended is None:
        return
    for text in job.expect:
        finding = evaluate(parse_assertion(text), ended)
        met = "holds" if finding.holds else "does not hold"
        yield _piece("expect", f"{text}: {met}: {one_line(finding.sentence, 400)}") | {
            "holds": finding.holds,
            "seen": finding.seen,
        }


def _host(runs: list[Run], zone: tzinfo) -> Iterator[dict[str, Any]]:
    """Say what this host knows of the processes of runs whose end is not recorded."""
    for run in runs:
        if run.ended_at is not None or run.pid is None:
            continue
        if run.lost_at is not None:
            what = _LOSSES[run.loss or Loss.GONE].format(run.pid)
            yield _piece("host", f"{what}, seen {_when(run.lost_at, zone)}")
        elif (running := Processes().is_running(run)) is not None:
            yield _piece("host", f"process {run.pid} {'is running' if running else 'is gone'}")


def _artifacts(job: Job, runs: list[Run], zone: tzinfo) -> Iterator[dict[str, Any]]:
    """Show what was found for each artifact rule at the end of the newest run that was measured."""
    run = next((run for run in runs if run.artifacts), None)
    if run is None:
        return
    made = {artifact.rule: artifact for artifact in run.artifacts or ()}
    for rule in job.artifacts:
        if (found := made.get(rule.path)) is None:
            continue
        longest_s = job.max_duration_s + job.grace_s
        wrong = broken(rule, found, run, job.timezone, longest_s=longest_s)
        what = "; ".join(wrong) or f"{found.found or rule.path} is as it should be"
        if found.size is not None and found.modified_at is not None:
            written = _when(found.modified_at, zone)
            what += f" ({format_size(found.size)}, last written {written})"
        yield _piece("artifact", one_line(what, 800)) | {"holds": not wrong}


def _holes(judged: JudgedSlot | None, reader: Reader, zone: tzinfo) -> Iterator[dict[str, Any]]:
    if judged is None or judged.judgment.verdict is not Verdict.UNKNOWN:
        return
    for hole in reader.holes(judged.slot.at):
        until = _when(hole.until, zone) if hole.until else "now"
        text = f"{hole.path} {hole.reason}; from {_when(hole.since, zone)} to {until}"
        yield _piece("hole", one_line(text, 800))


def _findings(job: Job, reader: Reader, now: datetime, zone: tzinfo) -> Iterator[dict[str, Any]]:
    for finding in reader.findings(now - _FINDINGS_SHOWN, job.name)[:_MOST_FINDINGS]:
        text = f"{finding.kind} {_when(finding.at, zone)}: {one_line(finding.text, 400)}"
        yield _piece("odd", text)


def _row(job: Job, judged: JudgedSlot | None, reader: Reader) -> Iterator[dict[str, Any]]:
    """Say how the slots before stood, and what a row of bad or good ones does."""
    slots = reader.last_slots(job.name, _ROW)
    if judged is None or not slots:
        return
    verdicts = Counter(str(s.judgment.verdict) for s in slots)
    text = f"last {plural(len(slots), 'slot')}: " + ", ".join(
        f"{count} {verdict}" for verdict, count in verdicts.most_common()
    )
    if job.tolerate:
        text += f"; {plural(job.tolerate, 'bad slot')} in a row stay silent"
    if job.recover_after > 1:
        text += f"; {job.recover_after} good ones in a row close an incident"
    yield _piece("row", text)


def _output(runs: list[Run]) -> Iterator[dict[str, Any]]:
    spoke = next((run for run in runs if run.output_tail), None)
    if spoke is not None and spoke.output_tail:
        text = last_lines(spoke.output_tail, _OUTPUT_LINES, _OUTPUT_CHARACTERS)
        yield _piece("output", text)


def _incident(incident: Incident | None, now: datetime, zone: tzinfo) -> Iterator[dict[str, Any]]:
    if incident is None:
        return
    bad = plural(incident.slots, "bad slot")
    since = f"{incident.id}, opened {_when(incident.opened_at, zone)}, {bad}"
    if incident.closed_at is None:
        open_for = format_duration((now - incident.opened_at).total_seconds())
        acked = f", acknowledged {_when(incident.acked_at, zone)}" if incident.acked_at else ""
        yield _piece("incident", f"{since}, open for {open_for}{acked}")
    else:
        yield _piece(
            "incident", f"{since}, {incident.close_reason} {_when(incident.closed_at, zone)}"
        )
    if incident.because:
        yield _piece("cause", incident.because)


def _mutes(job: Job, reader: Reader, zone: tzinfo) -> Iterator[dict[str, Any]]:
    """Say until when nobody is told of the job, and how much that has swallowed."""
    mutes = reader.mutes()
    for mute in (mutes[key] for key in (job.name, None) if key in mutes):
        whom = "everything is" if mute.job is None else "it is"
        by = f" by {one_line(mute.who, 80)}" if mute.who else ""
        why_so = f" ({one_line(mute.reason, 200)})" if mute.reason else ""
        swallowed = plural(mute.swallowed, "message")
        until = _when(mute.until, zone)
        yield _piece("muted", f"{whom} muted until {until}{by}{why_so}; {swallowed} swallowed")


def _delivery(row: DeliveryRow, zone: tzinfo) -> dict[str, Any]:
    text = f"{row.kind} to {row.channel}: {row.state}"
    if row.sent_at:
        text += f" {_when(row.sent_at, zone)}"
    if row.error:
        text += f" ({one_line(row.error, 200)}, tried {plural(row.tries, 'time')})"
    if row.next_try and row.state not in {"sent", "sending"}:
        text += f", next try {_when(row.next_try, zone)}"
    return _piece("told", text)


def _around(job: Job, reader: Reader, now: datetime, zone: tzinfo) -> Iterator[dict[str, Any]]:
    last = reader.last_success(job.name)
    if last is None:
        yield _piece("last ok", "never, as far as this database goes")
    else:
        ago = format_duration((now - last).total_seconds())
        yield _piece("last ok", f"ended {_when(last, zone)}, {ago} ago")
    if not job.enabled:
        yield _piece("next", "none: the job is disabled")
        return
    upcoming = next_slot(job, now, boots_of(reader))
    if upcoming is None:
        yield _piece("next", "not known yet")
    else:
        by = _when(upcoming.deadline, zone)
        yield _piece("next", f"{_when(upcoming.at, zone)}, deadline {by}")
    if job.runbook:
        yield _piece("runbook", one_line(job.runbook, 600))
