"""What CueAPI is told of an execution: whether all jobs are well, with evidence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronverifyd.model import JudgedSlot, Verified

# The service's limits, in characters; metadata may have 10 KB of JSON.
_TEXT, _SUMMARY, _ID = 2_000, 500, 255
_SLOTS, _NAMES = 20, 10


def outcome(
    verified: Verified, slots: Sequence[JudgedSlot], clean: Callable[[str], str]
) -> dict[str, Any]:
    """Say what came of a verification.

    `slots`: the last due slots of the jobs that were looked at, as judged; those of jobs that have
    none are absent. `clean` takes secrets out of a text: reasons may quote what a job said.
    """
    well = not verified.details
    found: dict[str, Any] = {
        "success": well,
        "result" if well else "error": _cut(_report(verified, clean), _TEXT),
        "summary": _cut(_summary(verified, slots, clean), _SUMMARY),
        "result_type": "cronverifyd",
        "metadata": _metadata(verified, slots),
    }
    run = _run(verified, slots)
    return found if run is None else {**found, "external_id": _cut(run, _ID)}


def could_not_judge(why: str) -> dict[str, Any]:
    """Say that an execution was taken and nothing could be judged."""
    sentence = f"could not judge: {why}"
    return {"success": False, "error": _cut(sentence, _TEXT), "summary": _cut(sentence, _SUMMARY)}


def _report(verified: Verified, clean: Callable[[str], str]) -> str:
    """Say how many jobs are well; a line for each that is not."""
    checked = f"{plural(verified.checked, 'job')} checked"
    if not verified.details:
        return f"{checked}, all well"
    bad = [f"{each.job}: {each.verdict}: {clean(each.issue)}" for each in verified.details]
    return "\n".join([f"{checked}, {len(bad)} not well", *bad])


def _summary(verified: Verified, slots: Sequence[JudgedSlot], clean: Callable[[str], str]) -> str:
    """Give the verdict's sentence where it is about one job, else name those that are not well."""
    if verified.checked == 1 and len(slots) == 1:
        (slot,) = slots
        judgment = slot.judgment
        return f"{slot.slot.job}: {judgment.verdict}: {clean(judgment.reason)}"
    first = _report(verified, clean).partition("\n")[0]
    if not verified.details:
        return first
    names = [each.job for each in verified.details]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{first}: {', '.join(names[:_NAMES])}{more}"


def _run(verified: Verified, slots: Sequence[JudgedSlot]) -> str | None:
    """Give the run that decided: of the one job, or of the first that is not well."""
    decided = {slot.slot.job: slot.judgment.run for slot in slots}
    if len(decided) == 1:
        return next(iter(decided.values()))
    runs = (decided.get(each.job) for each in verified.details)
    return next((run for run in runs if run is not None), None)


def _metadata(verified: Verified, slots: Sequence[JudgedSlot]) -> dict[str, Any]:
    """Give the numbers, and the slots of the first jobs; the bad ones come first."""
    bad = {each.job for each in verified.details}
    in_order = sorted(slots, key=lambda slot: slot.slot.job not in bad)
    return {
        "checked": verified.checked,
        "failures": len(verified.details),
        "slots": [_slot(slot) for slot in in_order[:_SLOTS]],
    }


def _slot(slot: JudgedSlot) -> dict[str, Any]:
    return {
        "job": slot.slot.job,
        "slot": slot.slot.at.isoformat(),
        "verdict": slot.judgment.verdict.value,
        "run": slot.judgment.run,
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
