"""What a message says, in the order in which it is said, for every channel alike.

All of it is plain text (see text.plain) and short, but not yet escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.wording import plural
from cronverifyd.model import Alert, AlertKind, Digest, NoticeKind, Verdict
from cronverifyd.tell.instants import by_deadline, in_both_zones, in_utc, in_zone, zone_of
from cronverifyd.tell.text import cut, last_lines, one_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cronverifyd.model import Message, Notice, Severity

QUOTE_LINES = 12
QUOTE_CHARACTERS = 1_200
_TITLES = 3
"""So many things a notification names."""

_LINES = 30
_NAMES = 500

_GOOD_NEWS = {NoticeKind.SIGHTED, NoticeKind.CRON_BACK, NoticeKind.CUEAPI_BACK}

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
    """One labelled line. `things`: of how many it tells, in a message that tells of many."""

    label: str
    text: str
    things: int = 1


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


def story_of(message: Message) -> Story:
    """Say what a message tells."""
    if isinstance(message, Digest):
        return _of_digest(message)
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
            *_optional("Cause", one_line("" if _good(alert) else alert.cause or "", 400)),
            *_optional("Host", one_line("; ".join(alert.host_says), 400)),
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
        good=notice.kind in _GOOD_NEWS,
        severity=notice.severity,
        facts=(),
        quote=cut(plain(notice.text).strip("\n"), QUOTE_CHARACTERS),
        course=_optional("Try", one_line(notice.remedy, 400)),
        command=None,
        runbook=None,
        notes=(*_where(notice, where), *_instead(notice), *_repeat(notice)),
    )


def _where(notice: Notice, where: str) -> tuple[str, ...]:
    """Say what a notice is about, and when it was; a weekly drill is one line and no more."""
    if notice.kind is NoticeKind.DRILL and not notice.text:
        return ()
    return (f"{where}, {in_utc(notice.created_at)}",)


def _of_digest(digest: Digest) -> Story:
    """Tell in a line each what came together; where it is much, with few words of the rest."""
    stories = [story_of(part) for part in digest.parts]
    bad = sum(
        _label(part, story) == "Bad" for part, story in zip(digest.parts, stories, strict=True)
    )
    causes, single = _apart(digest.parts, stories)
    instance = one_line(digest.instance, 80)
    title = f"{plural(len(stories), 'thing')} to tell of {instance}"
    if bad:
        title = f"{plural(bad, 'thing')} not well on {instance}"
    elif all(story.good for story in stories):
        title = f"{plural(len(stories), 'thing')} well again on {instance}"
    if len(causes) == 1 and not single:
        title = f"{one_line(next(iter(causes)), 80)}: {title}"
    return Story(
        title=title,
        sentence=f"{title}: {'; '.join(story.title for story in stories[:_TITLES])}",
        good=not bad,
        severity=digest.severity,
        facts=(
            *_by_cause(causes),
            *(_line(*told) for told in single[:_LINES]),
            *_also(single[_LINES:]),
        ),
        quote="",
        course=(),
        command="cronverifyd status",
        runbook=None,
        notes=(f"{instance}, {in_utc(digest.created_at)}", *_repeat(digest)),
    )


def _label(part: Alert | Notice, story: Story) -> str:
    if part.kind in {NoticeKind.UNMUTED, NoticeKind.DRILL}:
        return "Note"
    return "Well" if story.good else "Bad"


def _line(part: Alert | Notice, story: Story) -> Fact:
    seen = next((fact.text for fact in story.facts if fact.label == "Seen"), story.quote)
    notes = f" ({'; '.join(story.notes)})" if story.notes else ""
    return Fact(label=_label(part, story), text=f"{story.title}: {one_line(seen, 160)}{notes}")


_Told = tuple["Alert | Notice", Story]


def _apart(
    parts: Sequence[Alert | Notice], stories: Sequence[Story]
) -> tuple[dict[str, list[_Told]], list[_Told]]:
    """Put together what has one cause; the rest stays in its order."""
    by_cause: dict[str, list[_Told]] = {}
    for part, story in zip(parts, stories, strict=True):
        cause = part.cause if isinstance(part, Alert) else None
        by_cause.setdefault(cause or "", []).append((part, story))
    single = by_cause.pop("", [])
    for cause in [cause for cause, told in by_cause.items() if len(told) == 1]:
        single += by_cause.pop(cause)
    return by_cause, single


def _by_cause(causes: Mapping[str, Sequence[_Told]]) -> Iterator[Fact]:
    for cause, told in causes.items():
        count = plural(len(told), "job")
        well = " well again" if all(story.good for _, story in told) else " of it"
        yield Fact(label="Cause", text=f"{one_line(cause, 300)}; {count}{well}", things=0)
        yield from _also(told)


def _also(told_of: Sequence[_Told]) -> Iterator[Fact]:
    """Name what has no line of its own, as many in one line as fit."""
    names: list[str] = []
    for part, story in told_of:
        name = f"{story.title} ({one_line(part.incident, 40)})" if part.incident else story.title
        if names and len(", ".join([*names, name])) > _NAMES:
            yield Fact(label="Also", text=", ".join(names), things=len(names))
            names = []
        names.append(name)
    if names:
        yield Fact(label="Also", text=", ".join(names), things=len(names))


def _good(alert: Alert) -> bool:
    return alert.kind is AlertKind.RECOVERED


def _words(alert: Alert) -> str:
    if _good(alert):
        return "is well again"
    if alert.kind is AlertKind.FLAPPING:
        return "is flapping"
    still = "still " if alert.kind is AlertKind.REMINDED else ""
    return still + _WORDS.get(alert.verdict, f"is {alert.verdict}")


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
    said = (
        (alert.found_late, "found late: it happened while nobody looked"),
        (alert.unheard, f"not told before: {one_line(alert.unheard or '', 300)}"),
        (
            alert.kind is AlertKind.FLAPPING,
            "the third failure within ten slots: silent until ten in a row are good",
        ),
    )
    notes = [text for holds, text in said if holds]
    return (f"incident {incident} on {instance}", *notes, *_instead(alert), *_repeat(alert))


def _instead(message: Alert | Notice) -> tuple[str, ...]:
    channel = message.instead_of
    return (f"told here because {one_line(channel, 100)} was not reached",) if channel else ()


def _repeat(message: Message) -> tuple[str, ...]:
    repeats = message.may_repeat
    return ("may repeat: it may have been sent before a restart",) if repeats else ()


def _optional(label: str, text: str) -> tuple[Fact, ...]:
    return (Fact(label=label, text=text),) if text else ()
