"""The book of what cannot be read, look by look, and of what is lost for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.model import Hole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from cronverifyd.intake.place import Place


class Holes:
    """What the present look found unreadable, beside what the one before did, and the losses.

    `before`: the holes of the look before, by path. `lasting`: those of this one.
    """

    def __init__(self) -> None:
        self.before: Mapping[str, Hole] = {}
        self.lasting: dict[str, Hole] = {}
        self._barred: set[str] = set()
        self._losses: list[Hole] = []

    def begin(self, before: Mapping[str, Hole]) -> None:
        """Begin a look. `before`: all that could not be read at the one before."""
        self.before = before
        self.lasting = {}

    def note(self, path: str, place: Place, since: datetime) -> None:
        """Note that a path cannot be read; a hole that was there before goes on."""
        known = self.before.get(path)
        since = since if known is None else known.since
        self.lasting[path] = Hole(path=path, since=since, reason=place.reason or "cannot be read")
        if place.bars:
            self._barred.add(path)

    def end(self, now: datetime) -> None:
        """End a look: where nobody could write lines for a time, what was to be written is lost."""
        for path, hole in self.before.items():
            if path in self._barred - self.lasting.keys():
                self.lose(path, hole.since, _in_the_past(hole.reason), now)
        self._barred &= self.lasting.keys()

    def lose(
        self, path: str, since: datetime, reason: str, now: datetime, writer_uid: int | None = None
    ) -> None:
        """Note that lines are lost. `writer_uid`: whose file it was, if that is known."""
        until = max(since, now)
        loss = Hole(path=path, since=since, reason=reason, until=until, writer_uid=writer_uid)
        self._losses.append(loss)

    def losses(self) -> list[Hole]:
        """Return all losses that were not forgotten yet."""
        return list(self._losses)

    def forget(self, losses: Iterable[Hole]) -> None:
        """Forget losses that have been kept elsewhere."""
        gone = list(losses)
        self._losses = [loss for loss in self._losses if loss not in gone]


def _in_the_past(reason: str) -> str:
    if reason.startswith("is "):
        return "was" + reason.removeprefix("is")
    return reason.replace("cannot", "could not")
