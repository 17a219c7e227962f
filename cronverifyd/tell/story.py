"""What a message says, in the order in which it is said, for every channel alike.

All of it is plain text (see text.plain) and short, but not yet escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronverifyd.judge.duration import format_duration
from cronverifyd.model import Alert, AlertKind, NoticeKind, Verdict
from cronverifyd.tell.instants import by_deadline, in_both_zones, in_utc, in_zone, zone_of
from cronverifyd.tell.text import cut, last_lines, one_line, plain

if TYPE_CHECKING:
    from cronverifyd.model import Notice, Severity

QUOTE_LINES = 12
QUOTE_CHARACTERS = 1_200

_WORDS = {
    Verdict.MISSED: "did not run",
    Verdict.FAILED: "failed",
    Verdict.OVERRUN: "is taking too long",
    Verdict.INTERRUPTED: "was interrupted",
    Verdict.UNMET: "ended, but not as expected",
    Verdict.ARTIFACT: "ended, but what it made is not right",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One labelled line."""

    label: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """One message, ready to be laid out.

    `sentence`: all that a notification shows. `good`: it brings good news. `quote`: lines that are
    not ours, or an empty text. `command`: what to type to look further, or None. `runbook`: the
    operator's own address, or None.
    """

    title: str
    sentence: str
    good: bool
    severity: Severity
    facts: tuple[Fact, ...]
    quote: str
    course: tuple[Fact, ...]
    command: str | None
    runbook: str | None
    notes: tuple[str, ...]


def story_of(message: Alert | Notice) -> Story:
    """Say what a message tells."""
    return _of_alert(message) if isinstance(message, Alert) else _of_notice(message)


def _of_alert(alert: Alert) -> Story:
    title = f"{one_line(alert.job, 100)} {_words(alert)}"
    slot = in_both_zones(alert.slot, zone_of(alert))
    when = "Due" if alert.owed else "Ran"  # what was not due is judged at its own start
    seen = one_line(alert.reason, 400)
    return Story(
        title=title,
        sentence=f"{title} on {one_line(alert.instance, 80)}: {seen} ({when.lower()} {slot})",
        good=_good(alert),
        severity=alert.severity,
        facts=(
            Fact(label=when, text=slot),
            Fact(label="Expected", text=_expected(alert)),
            Fact(label="Seen", text=seen),
            *_optional("Error", one_line(alert.error or "", 400)),
            *_optional("Run", _run(alert)),
        ),
        quote=last_lines(alert.output_tail or "", QUOTE_LINES, QUOTE_CHARACTERS),
        course=(_course(alert),),
        command=f"cronverifyd why {one_line(alert.job, 100)}",
        runbook=alert.runbook,
        notes=_notes(alert),
    )


def _of_notice(notice: Notice) -> Story:
    title, instance = one_line(notice.title, 140), one_line(notice.instance, 80)
    where = (
        f"incident {one_line(notice.incident, 40)} on {instance}" if notice.incident else instance
    )
    return Story(
        title=title,
        sentence=f"{title} on {instance}",
        good=notice.kind is NoticeKind.SIGHTED,
        severity=notice.severity,
        facts=(),
        quote=cut(plain(notice.text).strip("\n"), QUOTE_CHARACTERS),
        course=_optional("Try", one_line(notice.remedy, 400)),
        command=None,
        runbook=None,
        notes=(f"{where}, {in_utc(notice.created_at)}", *_repeat(notice)),
    )


def _good(alert: Alert) -> bool:
    return alert.kind is AlertKind.RECOVERED


def _words(alert: Alert) -> str:
    return "is well again" if _good(alert) else _WORDS.get(alert.verdict, f"is {alert.verdict}")


def _expected(alert: Alert) -> str:
    return f"status {one_line(alert.expected_status, 40)} by {by_deadline(alert)}"


def _run(alert: Alert) -> str:
    parts = [
        f"exit code {alert.exit_code}" if alert.exit_code is not None else "",
        f"killed by {one_line(alert.signal, 20)}" if alert.signal else "",
        f"took {format_duration(alert.duration_s)}" if alert.duration_s is not None else "",
        f"started {in_zone(alert.started_at, zone_of(alert))}" if alert.started_at else "",
    ]
    return ", ".join(part for part in parts if part)


def _course(alert: Alert) -> Fact:
    """Say since when it is wrong, or how long it was, and how many slots were bad."""
    slots = "1 bad slot" if alert.slots == 1 else f"{alert.slots} bad slots"
    since = in_zone(alert.opened_at, zone_of(alert))
    if not _good(alert):
        return Fact(label="Since", text=f"{since}, {slots}")
    lasted = ((alert.closed_at or alert.created_at) - alert.opened_at).total_seconds()
    return Fact(label="Lasted", text=f"{format_duration(lasted)} (since {since}), {slots}")


def _notes(alert: Alert) -> tuple[str, ...]:
    incident, instance = one_line(alert.incident, 40), one_line(alert.instance, 80)
    late = ("found late: it happened while nobody looked",) if alert.found_late else ()
    return (f"incident {incident} on {instance}", *late, *_repeat(alert))


def _repeat(message: Alert | Notice) -> tuple[str, ...]:
    repeats = message.may_repeat
    return ("may repeat: it may have been sent before a restart",) if repeats else ()


def _optional(label: str, text: str) -> tuple[Fact, ...]:
    return (Fact(label=label, text=text),) if text else ()
