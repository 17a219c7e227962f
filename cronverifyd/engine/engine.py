"""One message, one unit of work: read, judge, keep, tell."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cronverifyd.engine.answers import Answers
from cronverifyd.engine.by_hand import ByHand
from cronverifyd.engine.calendars import Calendars
from cronverifyd.engine.causes import Causes
from cronverifyd.engine.drills import Drills
from cronverifyd.engine.findings import Findings
from cronverifyd.engine.ingest import Ingest
from cronverifyd.engine.ledgers import Ledgers
from cronverifyd.engine.lost import Lost
from cronverifyd.engine.measuring import Measuring
from cronverifyd.engine.post import Post
from cronverifyd.engine.sight import Sight
from cronverifyd.engine.teller import Teller
from cronverifyd.engine.triggers import Triggers
from cronverifyd.engine.verdicts import Verdicts
from cronverifyd.errors import UnknownJobError
from cronverifyd.model import (
    Beaten,
    Delivered,
    Look,
    Measure,
    Measured,
    Message,
    Notice,
    Rehearsed,
    Reported,
    TriggeredBy,
    Verified,
    Verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from cronverifyd.engine.lost import Host
    from cronverifyd.intake.tail import Tail
    from cronverifyd.model import Loss, Rehearsal, Report, Request

    EngineMessage = Look | Request[Any] | Delivered | Measured | Rehearsed | Beaten | Reported
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store

_BLOCKS_A_TURN = 16
_SIGN_OF_LIFE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hands:
    """Those who do for the engine what takes time; each answers by a message.

    `send(channel, rows, message)` gives a message, which tells of these rows of the outbox, to the
    channel's sender, and is answered by a `Delivered`; `measure(request)` by a `Measured`;
    `rehearse(request)` by a `Rehearsed`; `beat(faults)` by a `Beaten`; `report(request)` by a
    `Reported`.
    """

    send: Callable[[str, tuple[str, ...], Message], None]
    measure: Callable[[Measure], None]
    rehearse: Callable[[Rehearsal], None]
    beat: Callable[[tuple[str, ...]], None]
    report: Callable[[Report], None]


class Engine:
    """All that happens between a doorbell and a commit."""

    def __init__(self, scope: Scope, store: Store, tail: Tail, host: Host, hands: Hands) -> None:
        self._scope = scope
        self._store = store
        self._tail = tail
        self._host = host
        self._hands = hands
        self._calendars = Calendars(scope, store)
        self._teller = Teller(scope, store)
        self._sight = Sight(scope, store, tail, self._calendars, self._teller)
        self._measuring = Measuring(store, hands.measure)
        self._findings = Findings(scope, store, self._calendars, self._teller)
        self._causes = Causes(scope, store, host, self._calendars, self._teller)
        self._drills = Drills(scope, store, self._causes, self._teller, hands)
        self._answers = Answers(scope, store, hands.report)
        self._triggers = Triggers(scope, store, self._calendars, self._teller)
        ledgers = Ledgers(
            scope=scope,
            store=store,
            calendars=self._calendars,
            sight=self._sight,
            findings=self._findings,
            measuring=self._measuring,
            causes=self._causes,
            teller=self._teller,
            drills=self._drills,
        )
        self._verdicts = Verdicts(ledgers)
        self._ingest = Ingest(ledgers, self._verdicts)
        self._lost = Lost(store, host, self._verdicts)
        self._post = Post(scope, store, hands.send)
        self._by_hand = ByHand(scope, store, self._teller, self._drills)
        self._remind = (self._verdicts, self._sight, self._causes, self._triggers)
        self._torn = False
        self._signed_at: datetime | None = None
        self.backlog = False
        """True when the last look stopped before the end of the files: look again at once."""

    def begin(self, now: datetime) -> None:
        """Bring the state in line with the configuration, and go on where a process stopped."""
        self._causes.begin()
        self._teller.remember()
        with self._store.transaction():
            for tenure in self._calendars.begin(self._host, now):
                self._verdicts.end(tenure, now)
            self._drills.begin(now)
            self._store.outbox.recover(now)
            for channel in self._store.outbox.next_tries().keys() - self._scope.channels.keys():
                self._store.outbox.bury(channel, "the channel left the configuration")
        self._remember(now)
        for run, slot in self._store.unmeasured_runs():
            if (job := self._verdicts.jobs.get(run.job)) is not None:
                self._measuring.look_at(job, [run], slot, now)
        self._measuring.hand_out()

    def end(self) -> None:
        """Keep how far the files were read and when that was; the next process goes on there."""
        with self._unit():
            self._save_marks()

    def _remember(self, now: datetime) -> None:
        """Read from the store what has to be at hand."""
        self._calendars.remember()
        self._teller.remember()
        self._drills.remember()
        self._sight.remember(now)
        self._causes.remember()
        self._triggers.remember(now)
        self._verdicts.remember()

    def handle(self, message: EngineMessage, now: datetime) -> Any:
        """Do the unit of work that a message asks for; only a Request is answered.

        Raises UnknownJobError for a job that nobody watches, CronverifydError for what cannot be
        done.
        """
        answer: object = None
        if isinstance(message, Delivered):
            self.settle(message, now)
        elif isinstance(message, Measured):
            self._take_measure(message, now)
        elif isinstance(message, Rehearsed):
            self._keep_rehearsed(message, now)
        elif isinstance(message, Beaten):
            with self._unit():
                self._drills.beaten(message, now)
        elif isinstance(message, Reported):
            with self._unit():
                self._answers.reported(message, now)
        elif isinstance(message, Verify):
            answer = self._verify(message, now)
        elif isinstance(message, Look):
            self._look(message.triggered_by, now, frozenset())
        else:
            answer = self._do_by_hand(message, now)
        self.dispatch(now)
        return answer

    def _do_by_hand(self, request: Request[Any], now: datetime) -> object:
        with self._unit():
            answer = self._by_hand.do(request, now)
            self._remember(now)
        return answer

    def settle(self, message: Delivered, now: datetime) -> None:
        """Record what came of an attempt to send; what cannot be recorded is kept for later."""
        self._post.report(message)
        self._settle_all(now)

    def next_moment(self) -> datetime | None:
        """Say when the engine wants to be rung next, or None."""
        moments = self._post.moments()
        own = (self._verdicts.deadlines.next(), self._answers.next_moment(), *self._dates())
        moments += [at for at in own if at]
        return min(moments, default=None)

    def _dates(self) -> tuple[datetime | None, ...]:
        """Say when something is due that has nothing to do with a slot."""
        reminders = [each.next_reminder() for each in self._remind]
        return (
            *reminders,
            self._teller.next_end(),
            self._drills.next_moment(),
            self._triggers.next_moment(),
        )

    def notify(self, notice: Notice, now: datetime) -> None:
        """Tell the default route something about the installation."""
        with self._unit():
            self._teller.at_large(notice)
        self.dispatch(now)

    def dispatch(self, now: datetime) -> None:
        """Give each idle channel its next message, and CueAPI its next report."""
        self._settle_all(now)
        self._answers.dispatch(now)
        if self._post.has_to_escalate(now):
            with self._unit():
                self._post.escalate(now)
        for channel in self._post.due(now):
            with self._unit():
                parcel = self._post.take(channel, now)
            self._post.hand_over(channel, parcel, now)

    @contextmanager
    def _unit(self) -> Iterator[None]:
        """Run a transaction; after one that failed, what is at hand is read again at the next look.

        Not at once: what keeps a store from being written may keep it from being read.
        """
        try:
            with self._store.transaction():
                yield
        except BaseException:
            self._torn = True
            self._measuring.forget_unkept()
            raise
        self._measuring.hand_out()

    def _look(self, by: TriggeredBy, now: datetime, triggered: frozenset[str]) -> None:
        """Read what is new; then, with every line read, judge what is due.

        A slot is judged by time alone only when everything written up to then has been read. Such
        a verdict stands on this look at the files, so that is kept with it. So does one on a
        process that is gone: it was looked for before the files were read.
        """
        if self._torn:
            with self._unit():
                self._post.recover(now)
            self._remember(now)
            self._torn = False
        self._causes.look(now)
        suspects = self._lost.suspects(now)
        if self._read(by, now):
            # The process of a run whose start was read just now was not looked for yet.
            more = self._lost.suspects(now)
            if more.keys() - suspects.keys() and not self.backlog:
                self._read(by, now)
            suspects = more
        if not self.backlog:
            self._judge_what_is_due(suspects, by, now, triggered)

    def _read(self, by: TriggeredBy, now: datetime) -> bool:
        """Read what is new, up to a limit (then there is a backlog); False if nothing was."""
        self._tail.look(now)
        self.backlog = False
        if self._tail.has_news():
            self._keep_losses(now)
        count = 0
        for block in self._tail.blocks(now):
            if count == _BLOCKS_A_TURN:
                self.backlog = True
                break
            with self._unit():
                mark = self._ingest.take_in(block, by, now)
            self._tail.accept(mark)
            count += 1
        return count > 0

    def _keep_losses(self, now: datetime) -> None:
        """Keep what is lost for good before anything is read that takes the place of its file."""
        losses, marks = self._tail.losses(), self._tail.marks()
        with self._unit():
            for mark in marks:
                self._store.save_mark(mark)
            self._sight.lose(losses, now)
        for mark in marks:
            self._tail.accept(mark)
        self._tail.forget_losses(losses)

    def _judge_what_is_due(
        self,
        suspects: dict[tuple[str, str], Loss],
        by: TriggeredBy,
        now: datetime,
        triggered: frozenset[str],
    ) -> None:
        for measured in self._measuring.overdue(now):
            self._take_measure(measured, now)
        dates = (self._verdicts.deadlines.first(), *self._dates())
        is_due = any(at is not None and at <= now for at in dates)
        findings = self._findings.gather()
        has_news = any(
            (
                self._sight.has_changed(),
                self._causes.has_changed(),
                self._triggers.has_changed(now),
                self._is_stale(now),
            )
        )
        if not (is_due or findings or suspects or has_news):
            self._findings.forget()
            return
        with self._unit():
            self._save_marks()
            self._signed_at = now
            seen_again = self._sight.keep(now)
            if self._teller.end_mutes(now):
                self._remember(now)
            self._lost.conclude(suspects, by, now)
            self._verdicts.judge_due(by, now, triggered)
            self._triggers.turn(now)
            for each in self._remind:
                each.remind(now)
            self._drills.turn(now)
            if seen_again:
                self._verdicts.judge_unknown(by, now)
            self._sight.settle(now)
            self._causes.keep(now)
            self._findings.keep(findings, now)
        self._findings.forget()

    def _is_stale(self, now: datetime) -> bool:
        """Say whether no sign of life was kept for some time: after a power cut it tells when."""
        return self._signed_at is None or now - self._signed_at >= _SIGN_OF_LIFE

    def _save_marks(self) -> None:
        for mark in self._tail.marks():
            self._store.save_mark(mark)

    def _take_measure(self, message: Measured, now: datetime) -> None:
        with self._unit():
            slot = self._measuring.keep(message, now)
            if slot is not None:
                self._verdicts.judge_again(message.job, slot, TriggeredBy.FILE, now)

    def _keep_rehearsed(self, message: Rehearsed, now: datetime) -> None:
        if message.fault:
            with self._unit():
                self._drills.rehearsed(message, now)

    def _verify(self, message: Verify, now: datetime) -> Verified:
        """Look, unless these jobs were looked at a moment ago and nothing new was written since."""
        names = tuple(self._verdicts.jobs) if message.jobs is None else message.jobs
        if unknown := [name for name in names if name not in self._verdicts.jobs]:
            what = f'no job "{unknown[0]}" in the configuration'
            raise UnknownJobError(what, remedy="cronverifyd status lists the jobs")
        if known := self._answers.first(message.execution, now):
            return known
        by, triggered = message.triggered_by, frozenset(names)
        if self._has_to_look(message, triggered, now):
            self._look(by, now, triggered)
        while self.backlog:
            self._look(by, now, triggered)
        self._triggers.looked(names, now)
        verified = self._answers.of(names, message.scheduled_for)
        if message.execution is not None:
            with self._unit():
                self._answers.keep(message, verified, now)
                self._triggers.came(message.jobs, now)
        return verified

    def _has_to_look(self, message: Verify, jobs: frozenset[str], now: datetime) -> bool:
        """Say whether a look can find something: a flood of triggers must cost little."""
        if message.triggered_by is TriggeredBy.CHECK or self._torn:
            return True
        if not self._triggers.looked_lately(jobs, now) or self._read(message.triggered_by, now):
            return True
        return self._verdicts.deadlines.is_due(now, jobs)

    def _settle_all(self, now: datetime) -> None:
        while (report := self._post.first_report()) is not None:
            with self._unit():
                self._post.settle(report, now)
            self._post.forget_report()
