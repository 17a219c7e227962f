"""A message as JSON, for programs: what a webhook is sent and a command reads. Pure.

docs/CHANNELS.md names the keys. Text of jobs is made plain (see text.plain), since whoever reads it
may print it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cronverifyd.model import Alert, Digest
from cronverifyd.tell.story import story_of
from cronverifyd.tell.text import cut, one_line, plain

if TYPE_CHECKING:
    from datetime import datetime

    from cronverifyd.model import Message, Notice
    from cronverifyd.tell.story import Story

VERSION = 1

_LINE = 1_000
_TEXT = 4_000
# What the wrapper keeps of an output. Four times that is cleaned, for what is taken out of it.
_TAIL = 16_384


def encoded(message: Message) -> bytes:
    """Write the document as one line of UTF-8, without a line end."""
    text = json.dumps(document(message), ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def document(message: Message) -> dict[str, Any]:
    """Say all that a message tells; instants are RFC 3339, a slot's with the job's offset."""
    story = story_of(message)
    return {
        "v": VERSION,
        "type": type_of(message),
        "id": plain(message.id),
        "kind": kind_of(message),
        "severity": message.severity,
        "good": story.good,
        "instance": one_line(message.instance, _LINE),
        "title": story.title,
        "summary": story.sentence,
        "created_at": message.created_at.isoformat(),
        "may_repeat": message.may_repeat,
        **_about(message, story),
    }


def type_of(message: Message) -> str:
    """Name what is told: alert (of a job), notice (of the installation) or digest (of both)."""
    return type(message).__name__.lower()


def kind_of(message: Message) -> str:
    """Name the kind of an alert or a notice; a digest is of one kind only."""
    return "digest" if isinstance(message, Digest) else message.kind


def _about(message: Message, story: Story) -> dict[str, Any]:
    if isinstance(message, Digest):
        return {"count": len(message.parts), "parts": [document(part) for part in message.parts]}
    about = _alert(message, story) if isinstance(message, Alert) else _notice(message)
    incident, instead_of = _line(message.incident), _line(message.instead_of)
    return {"incident": incident, "instead_of": instead_of, **about}


def _alert(alert: Alert, story: Story) -> dict[str, Any]:
    return {
        "job": one_line(alert.job, _LINE),
        "verdict": alert.verdict,
        "reason": _text(alert.reason),
        "cause": _text(alert.cause),
        "host_says": [one_line(said, _LINE) for said in alert.host_says],
        "slot": alert.slot.isoformat(),
        "deadline": alert.deadline.isoformat(),
        "schedule": one_line(alert.schedule, _LINE),
        "timezone": one_line(alert.timezone, _LINE),
        "expected_status": one_line(alert.expected_status, _LINE),
        "owed": alert.owed,
        "found_late": alert.found_late,
        "unheard": _text(alert.unheard),
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": _instant(alert.closed_at),
        "slots": alert.slots,
        "run": _run(alert) if alert.run is not None else None,
        "look": story.command,
        "runbook": _line(alert.runbook),
    }


def _run(alert: Alert) -> dict[str, Any]:
    return {
        "run": _line(alert.run),
        "started_at": _instant(alert.started_at),
        "ended_at": _instant(alert.ended_at),
        "status": _line(alert.status),
        "exit_code": alert.exit_code,
        "signal": _line(alert.signal),
        "error": _text(alert.error),
        "duration_s": alert.duration_s,
        "output_tail": _tail(alert.output_tail),
        "host": _line(alert.host),
        "user": _line(alert.user),
        "command": _line(alert.command),
    }


def _notice(notice: Notice) -> dict[str, Any]:
    return {"text": _text(notice.text), "remedy": _text(notice.remedy)}


def _instant(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _line(text: str | None) -> str | None:
    return None if text is None else one_line(text, _LINE)


def _text(text: str | None) -> str | None:
    return None if text is None else cut(plain(text), _TEXT)


def _tail(text: str | None) -> str | None:
    return None if text is None else plain(text[-4 * _TAIL :])[-_TAIL:]
