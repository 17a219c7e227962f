"""What CueAPI is told of an execution: whether all jobs are well, with evidence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronverifyd.model import BadJob, GoodJob, Verified

# The service's limits, in characters; metadata may have 10 KB of JSON.
_TEXT, _SUMMARY, _ID = 2_000, 500, 255
_JOBS, _NAMES = 20, 10


def outcome(verified: Verified, clean: Callable[[str], str]) -> dict[str, Any]:
    """Say what came of a verification.

    `clean` takes secrets out of a text, before it is cut: reasons may quote what a job said.
    """
    well = not verified.details
    found: dict[str, Any] = {
        "success": well,
        "result" if well else "error": _cut(_report(verified, clean), _TEXT),
        "summary": _cut(_summary(verified, clean), _SUMMARY),
        "result_type": "cronverifyd",
        "metadata": _metadata(verified),
    }
    run = verified.good[0].run if verified.checked == 1 and verified.good else None
    return found if run is None else {**found, "external_id": _cut(run, _ID)}


def could_not_judge(why: str) -> dict[str, Any]:
    """Say that an execution was taken and nothing could be judged."""
    sentence = f"could not judge: {why}"
    return {"success": False, "error": _cut(sentence, _TEXT), "summary": _cut(sentence, _SUMMARY)}


def _report(verified: Verified, clean: Callable[[str], str]) -> str:
    """Say how many jobs are well, and a line for each: those that are not come first."""
    checked = f"{plural(verified.checked, 'job')} checked"
    bad = [f"{each.job}: {each.verdict}: {clean(each.issue)}" for each in verified.details]
    good = [f"{each.job}: {clean(each.reason)}" for each in verified.good]
    well = f"{len(bad)} not well" if bad else "all well"
    return "\n".join([f"{checked}, {well}", *bad, *good])


def _summary(verified: Verified, clean: Callable[[str], str]) -> str:
    """Give the verdict's sentence where it is about one job, else name those that are not well."""
    first, *sentences = _report(verified, clean).split("\n", 1)
    if verified.checked == 1 and sentences:
        return sentences[0]
    names = [each.job for each in verified.details]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{first}: {', '.join(names[:_NAMES])}{more}" if names else first


def _metadata(verified: Verified) -> dict[str, Any]:
    """Give the numbers, and the slots of the first jobs."""
    slots = [*map(_bad_slot, verified.details), *map(_good_slot, verified.good)]
    return {
        "checked": verified.checked,
        "failures": len(verified.details),
        "slots": slots[:_JOBS],
    }


def _bad_slot(job: BadJob) -> dict[str, Any]:
    return {"job": job.job, "slot": job.slot.isoformat(), "verdict": job.verdict.value}


def _good_slot(job: GoodJob) -> dict[str, Any]:
    run = None if job.run is None else _cut(job.run, _ID)
    return {"job": job.job, "slot": job.slot.isoformat(), "run": run}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
