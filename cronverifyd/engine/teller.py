"""Who hears of a message, and when: mutes keep it back, a cause that was told stands for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.model import AlertState, Mute, Notice, NoticeKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cronverifyd.model import Alert
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

STORM = timedelta(seconds=60)
"""Jobs that a cause hits so soon after it was told are told with it."""

NEXT_WORD = timedelta(minutes=10)
"""What comes of the same cause later is gathered for so long, as are its recoveries."""

_NEVER_MUTED = frozenset({NoticeKind.UNMUTED, NoticeKind.DRILL})


class Teller:
    """Queues messages for channels. Everything that writes belongs into a transaction."""

    def __init__(self, scope: Scope, store: Store) -> None:
        self._scope = scope
        self._store = store
        self._mutes: dict[str | None, Mute] = {}

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        self._mutes = self._store.mutes()

    def at_large(self, notice: Notice) -> None:
        """Tell the default route, as far as its channels want it."""
        self.tell(notice, self._scope.route(notice.severity))

    def of_all(self, notice: Notice, cause: str) -> None:
        """Tell the default route of a cause that hits every job: theirs are folded into it."""
        if self._mute_of(notice) is not None:
            self.at_large(notice)
            return
        for channel in self._scope.route(notice.severity):
            self._store.outbox.add(notice, channel, cause=cause)

    def tell(self, message: Alert | Notice, channels: Iterable[str]) -> bool:
        """Queue a message for channels; False if it was for nobody or is kept back by a mute."""
        if (mute := self._mute_of(message)) is not None:
            self._keep_back(mute, message, channels)
            return False
        return sum(self._store.outbox.add(message, channel) for channel in channels) > 0

    def open(self, alert: Alert, channels: Iterable[str], cause: str | None) -> bool:
        """Tell of an incident that opens; where its cause was told on a channel, that is enough.

        False if nobody will hear of this job by name, not even when the cause is over.
        """
        if (mute := self._mute_of(alert)) is not None:
            self._keep_back(mute, alert, channels)
            return False
        return sum(self._open_on(channel, alert, cause) for channel in channels) > 0

    def heal(self, alert: Alert, channels: Iterable[str], cause: str | None, *, last: bool) -> None:
        """Tell of a recovery. `last`: no other incident of this cause is open.

        The recoveries of one cause are gathered, until the last one or for `NEXT_WORD`.
        """
        if cause is None or self._mute_of(alert) is not None:
            self.tell(alert, channels)
            return
        for channel in channels:
            later = None if last else alert.created_at + NEXT_WORD
            self._store.outbox.add(alert, channel, cause=cause, not_before=later)
            if last:
                self._store.outbox.hurry(channel, alert.created_at, cause=cause)

    def _open_on(self, channel: str, alert: Alert, cause: str | None) -> bool:
        outbox = self._store.outbox
        # A recovery that is still held back must not come after what is new.
        outbox.hurry(channel, alert.created_at, job=alert.job)
        told = None if cause is None else outbox.told_of(cause, channel)
        if told is None:
            return outbox.add(alert, channel, cause=cause)
        if told.of_all or alert.created_at - told.first <= STORM:
            outbox.add(alert, channel, cause=cause, state=AlertState.FOLDED)
            return not told.of_all
        return outbox.add(alert, channel, cause=cause, not_before=told.last + NEXT_WORD)

    # ---- mutes ------------------------------------------------------------------------------

    def next_end(self) -> datetime | None:
        """Say when the next mute is over."""
        return min((mute.until for mute in self._mutes.values()), default=None)

    def mute(self, mute: Mute) -> Mute:
        """Tell nobody of a job any more; what its last mute has swallowed stays with it."""
        self._store.note("mute", mute.since, mute=mute)
        before = self._mutes.get(mute.job)
        if before is not None:
            mute = replace(mute, since=before.since, swallowed=before.swallowed)
        self._keep(mute)
        return mute

    def unmute(self, job: str | None, now: datetime, who: str = "") -> Mute | None:
        """End a mute, and tell what it has swallowed and is still true; None: there was none."""
        mute = self._mutes.pop(job, None)
        if mute is None:
            return None
        self._store.drop_mute(job)
        self._store.note("unmute", now, job=job, who=who)
        kept = [m for m in self._store.outbox.muted() if self._mute_of(m.message) is None]
        self._store.outbox.release([m.id for m in kept], now)
        if kept:
            told = list({m.message.id: m.message for m in kept}.values())
            notice = messages.unmuted(self._scope, mute, told, now)
            self.tell(notice, dict.fromkeys(m.channel for m in kept))
        return mute

    def end_mutes(self, now: datetime) -> bool:
        """End the mutes whose time is over; say whether there was one."""
        over = [mute.job for mute in self._mutes.values() if mute.until <= now]
        for job in over:
            self.unmute(job, now)
        return bool(over)

    def _mute_of(self, message: Alert | Notice) -> Mute | None:
        if message.kind in _NEVER_MUTED:
            return None
        of_job = self._mutes.get(message.job) if message.job is not None else None
        return of_job or self._mutes.get(None)

    def _keep_back(self, mute: Mute, message: Alert | Notice, channels: Iterable[str]) -> None:
        add = self._store.outbox.add
        if sum(add(message, channel, state=AlertState.MUTED) for channel in channels):
            self._keep(replace(mute, swallowed=mute.swallowed + 1))

    def _keep(self, mute: Mute) -> None:
        self._mutes[mute.job] = mute
        self._store.save_mute(mute)
