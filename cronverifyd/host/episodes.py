"""When something about the host was so: what looks at it have seen, put together."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.model import Span

if TYPE_CHECKING:
    from datetime import datetime

MOST = 64
"""So many past episodes are remembered; the oldest go first."""

SHORTLY = timedelta(seconds=60)
"""Looks that lie further apart do not say when, in between, something began."""


class Episodes:
    """The episodes of one thing, from its first look on."""

    def __init__(self) -> None:
        self._past: deque[Span] = deque(maxlen=MOST)
        self._lasting: Span | None = None
        self._clear_at: datetime | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Give all that are remembered, oldest first; one that lasts is the last."""
        return (*self._past, *([self._lasting] if self._lasting else []))

    def see(self, *, is_so: bool | None, now: datetime) -> None:
        """Take what a look has seen. None: it could not see; what lasted goes on."""
        if is_so and self._lasting is None:
            self._lasting = Span(since=now, before=self._before(now))
        elif is_so is False:
            self.end(now)
            self._clear_at = now

    def end(self, at: datetime) -> None:
        """End the one that lasts, if any, at an instant that is known better than by looks."""
        if self._lasting is not None:
            self._past.append(replace(self._lasting, until=at))
            self._lasting = None

    def add(self, span: Span) -> None:
        """Take one that was over before a look could see it."""
        self._past.append(span)

    def _before(self, now: datetime) -> datetime | None:
        clear = self._clear_at
        return clear if clear is not None and now - SHORTLY <= clear <= now else None
