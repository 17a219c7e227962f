"""Whose outcomes count for a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronverifyd.model import Job

_ROOT = 0


def counts(job: Job, writer_uid: int | None) -> bool:
    """Say whether what a user has written counts for a job. `writer_uid` None: nobody knows who.

    Root's always do: its wrapper around `su alice -c …` is the wrapper of a job of alice's.
    """
    if job.user is None or writer_uid == _ROOT:
        return True
    return writer_uid is not None and writer_uid == job.user_uid


def spoofed_id(run: str, writer_uid: int | None) -> str:
    """Name a run that does not count, so that none that does can be taken for it."""
    return f"~{'anybody' if writer_uid is None else writer_uid}.{run}"
