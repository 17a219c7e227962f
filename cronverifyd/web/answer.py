"""The JSON that says how the jobs stand: to a trigger, to the control socket, to `check --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronverifyd.report.documents import mute_document

if TYPE_CHECKING:
    from cronverifyd.model import Acknowledged, BadJob, Silenced, Verified

# CueAPI keeps at most 2,000 characters of a result; a job's name has at most 100.
_NAMES = 15


def answer(verified: Verified) -> dict[str, Any]:
    """Make the answer. `success`: every job that was looked at is well."""
    return {
        "success": not verified.details,
        "result": _sentence(verified),
        "checked": verified.checked,
        "failures": len(verified.details),
        "details": [_detail(bad) for bad in verified.details],
    }


def acknowledged(acked: Acknowledged) -> dict[str, Any]:
    """Say which incidents somebody knows of now."""
    return {
        "incidents": [
            {
                "id": incident.id,
                "job": incident.job,
                "since": incident.opened_at.isoformat(),
                "slots": incident.slots,
                "acked": True,
            }
            for incident in acked.incidents
        ]
    }


def silenced(silenced: Silenced) -> dict[str, Any]:
    """Describe the mute that begins or is over; null: there was none."""
    return {"mute": None if silenced.mute is None else mute_document(silenced.mute)}


def _sentence(verified: Verified) -> str:
    jobs = "1 job checked" if verified.checked == 1 else f"{verified.checked} jobs checked"
    if not verified.details:
        return f"{jobs}, all well"
    names = [bad.job for bad in verified.details]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{jobs}, {len(names)} not well: {', '.join(names[:_NAMES])}{more}"


def _detail(bad: BadJob) -> dict[str, Any]:
    return {
        "job": bad.job,
        "slot": bad.slot.isoformat(),
        "verdict": bad.verdict.value,
        "issue": bad.issue,
        "error": bad.error,
    }
