"""Make CueAPI's cues equal to the configuration's, and see that they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronverifyd.cue.client import CueError, UnsureError
from cronverifyd.cue.plan import Create, Delete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cronverifyd.cue.client import CueApi
    from cronverifyd.cue.plan import Change, Cue, Plan

_ROUNDS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What came of one change. `error` None: it was made."""

    change: Change
    error: CueError | UnsureError | None = None

    @property
    def final(self) -> bool:
        """Say whether it was refused, so that to ask again is of no use.

        A name that is taken (409) and a cue that is gone (404) show once the cues are listed anew.
        """
        return isinstance(self.error, CueError) and self.error.status not in {404, 409}


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What both sides still differ in at the end; nothing: they are equal."""

    plan: Plan


def sync(
    client: CueApi, first: Plan, look: Callable[[Sequence[Cue]], Plan]
) -> Iterator[Done | Left]:
    """Make the changes of a plan, one after the other, telling of each; then what is left.

    1. Make each change. One that fails stops no other; an answer that leaves it open whether the
       change was made is not asked for again.
    2. List the cues anew and compare (`look`). What still differs is changed once more, so that
       what another one did meanwhile, or what a 500 hid, comes right. What was refused is not.
    3. List and compare for the last time.

    Raises what listing raises, and ThrottledError or KeyRefusedError from wherever it came.
    """
    plan, refused = first, set[str]()
    for _ in range(_ROUNDS):
        changes = [change for change in plan.changes if change.name not in refused]
        if not changes:
            break
        for change in changes:
            done = _make(client, change)
            yield done
            if done.final:
                refused.add(change.name)
        plan = look(client.cues())
    yield Left(plan=plan)


def _make(client: CueApi, change: Change) -> Done:
    try:
        if isinstance(change, Create):
            client.create(change.body)
        elif isinstance(change, Delete):
            client.delete(change.id)
        else:
            client.patch(change.id, change.groups)
    except (CueError, UnsureError) as error:
        return Done(change=change, error=error)
    return Done(change=change)
