"""What a trigger asks for: the body of `POST /verify`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cronverifyd.errors import CronverifydError
from cronverifyd.model import TriggeredBy, Verify

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXECUTION_CHARACTERS = 200


class MalformedError(CronverifydError):
    """A request that cannot be read; the sentence says why."""


def parse(body: bytes) -> Verify:
    """Read a body: a CueAPI delivery, `{"job": "x"}`, `{"jobs": ["x"]}`, `{}` or nothing at all.

    A delivery carries its `payload`, as the cue was made, and an `execution_id`; one whose payload
    names no job asks for all jobs, as does an empty body. Raises MalformedError.
    """
    if not body.strip():
        return Verify()
    document = _object(body)
    execution = _execution(document.get("execution_id"))
    return Verify(
        jobs=_jobs_of(document),
        triggered_by=TriggeredBy.HTTP if execution is None else TriggeredBy.CUEAPI,
        execution=execution,
        scheduled_for=_instant(document.get("scheduled_for")) if execution else None,
        owes_outcome=execution is not None,
    )


def _instant(value: object) -> datetime | None:
    """Read when CueAPI meant to ask: RFC 3339 with an offset, or nothing."""
    if value is None:
        return None
    try:
        instant = msgspec.convert(value, type=datetime)
    except msgspec.ValidationError as error:
        raise MalformedError(f"scheduled_for: {error}") from error
    if instant.tzinfo is None:
        raise MalformedError("scheduled_for must bear an offset from UTC")
    return instant


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body must be a JSON object: {error}") from error


def _jobs_of(document: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "payload" in document:
        return _named(_payload(document["payload"]))
    jobs = _named(document)
    if jobs is None and document and "execution_id" not in document:
        raise MalformedError('the body must name "job" or "jobs", or be empty for all jobs')
    return jobs


def _payload(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError("payload must be an object")
    return value


def _named(document: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Give the jobs that a document names, each once, or None where it names none."""
    if "job" in document and "jobs" in document:
        raise MalformedError('must name either "job" or "jobs"')
    if "job" in document:
        return (_name(document["job"]),)
    if "jobs" in document:
        return _names(document["jobs"])
    return None


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise MalformedError("jobs must be a list of names, at least one")
    return tuple(dict.fromkeys(_name(name) for name in value))


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise MalformedError("a job's name must be a text that is not empty")
    return value


def _execution(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _EXECUTION_CHARACTERS:
        raise MalformedError(
            f"execution_id must be a text of 1 to {_EXECUTION_CHARACTERS} characters"
        )
    return value
