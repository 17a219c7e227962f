"""The slots to come, in order, with their deadlines."""

from __future__ import annotations

from contextlib import suppress
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from cronverifyd.judge.schedule import parse
from cronverifyd.report.documents import next_slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cronverifyd.model import Job, Slot

_Slot = TypeVar("_Slot")


def upcoming(jobs: Iterable[Job], after: datetime, count: int) -> dict[str, Any]:
    """Describe the next slots over all these jobs, strictly after an instant, earliest first.

    What nobody owes is left out: disabled jobs, and slots that maintenance skips. When the next
    boot comes is not known.
    """
    rows = merge(
        *(_to_the_end(_slots(job, after)) for job in jobs if job.enabled), key=lambda slot: slot.at
    )
    return {"slots": [_document(slot) for slot in islice(rows, count)]}


def coming(expression: str, timezone: str, after: datetime, count: int) -> dict[str, Any]:
    """Describe the next slots of a schedule that is no job's, strictly after an instant.

    Raises ScheduleError for a schedule or a zone that cannot be read.
    """
    schedule = parse(expression, timezone)
    slots = islice(_to_the_end(schedule.slots_after(after)), count)
    return {
        "slots": [
            {
                "job": None,
                "slot": at.isoformat(),
                "deadline": None,
                "starts": schedule.starts_at(at),
            }
            for at in slots
        ]
    }


def _to_the_end(slots: Iterator[_Slot]) -> Iterator[_Slot]:
    """End with the calendar (year 9999)."""
    with suppress(OverflowError):
        yield from slots


def _slots(job: Job, after: datetime) -> Iterator[Slot]:
    slot = next_slot(job, after, ())
    while slot is not None:
        yield slot
        slot = next_slot(job, slot.at, ())


def _document(slot: Slot) -> dict[str, Any]:
    return {
        "job": slot.job,
        "slot": slot.at.isoformat(),
        "deadline": slot.deadline.isoformat(),
        "starts": slot.starts,
    }
