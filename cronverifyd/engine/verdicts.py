"""From slots and time to verdicts, from verdicts to incidents and what people are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.engine.deadlines import Deadlines, Moment
from cronverifyd.judge.incidents import closed, step
from cronverifyd.judge.runs import make_slot
from cronverifyd.judge.schedule import parse
from cronverifyd.judge.verify import first_moment, judge, own_deadline
from cronverifyd.model import AlertKind, JudgedSlot, Tenure, Verdict

if TYPE_CHECKING:
    from cronverifyd.engine.scope import Scope
    from cronverifyd.model import Incident, Job, Notice, Run, Slot, TriggeredBy
    from cronverifyd.store.sqlite import Store

FOUND_LATE_AFTER = timedelta(seconds=60)
"""A bad verdict that comes later than this after the fact says so: nobody was looking."""


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Verdicts:
    """The judged slots of one store, with what has to be at hand: tenures, incidents, deadlines.

    Everything that writes belongs into a transaction of the store. After one that failed,
    `remember` brings what is at hand back in line.
    """

    def __init__(self, scope: Scope, store: Store) -> None:
        self._scope = scope
        self._store = store
        self.jobs = scope.watched()
        self.deadlines = Deadlines(scope.fallback)
        self._tenures: dict[str, Tenure] = {}
        self._incidents: dict[str, Incident] = {}

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        self._tenures = self._store.tenures()
        self._incidents = self._store.open_incidents()
        self.deadlines = Deadlines(self._scope.fallback)
        for judged in self._store.undecided():
            if judged.slot.job in self.jobs and judged.judgment.until is not None:
                moment = Moment(judged.judgment.until, judged.slot.job, judged.slot.at)
                self.deadlines.add(moment)
        for name, job in self.jobs.items():
            self._await_next(job, self._tenures[name].cursor)

    def begin(self, now: datetime) -> None:
        """Bring tenures and incidents in line with the configuration.

        A job owes its first slot after it first stood there; with a changed schedule, or put back,
        it owes from now on; a disabled or removed one owes nothing and its incident closes.
        """
        known = self._store.tenures()
        for name, job in self.jobs.items():
            tenure = known.get(name)
            terms = (job.schedule, job.timezone)
            if tenure and tenure.active and (tenure.schedule, tenure.timezone) == terms:
                continue
            self._store.save_tenure(
                Tenure(
                    job=name,
                    schedule=job.schedule,
                    timezone=job.timezone,
                    owed_since=now,
                    cursor=now,
                )
            )
            self._store.note(
                "owed", now, job=name, schedule=job.schedule, timezone=job.timezone, since=now
            )
        for name, tenure in known.items():
            if tenure.active and name not in self.jobs:
                self._end_tenure(tenure, now)

    def owed_since(self, job: str) -> datetime:
        """Say since when a watched job owes its slots."""
        return self._tenures[job].owed_since

    def judge_due(self, by: TriggeredBy, now: datetime, triggered: frozenset[str]) -> None:
        """Judge all slots whose moment has come. The files must have been read to their ends."""
        for moment in self.deadlines.pop_due(now, triggered):
            job = self.jobs[moment.job]
            if moment.slot is None:
                wait = timedelta() if job.name in triggered else self._scope.fallback
                self._judge_next(job, by, now, now - wait)
            elif (judged := self._store.slot(job.name, moment.slot)) is not None:
                self.judge(judged.slot, by, now, all_read=True)

    def judge(self, slot: Slot, by: TriggeredBy, now: datetime, *, all_read: bool = False) -> None:
        """Judge one slot, keep the verdict if it is new, and follow it up.

        `all_read`: everything written up to now has been read, so that what is not known is not
        there. Else time makes no new verdict; one that it has made stays.

        One that is not new is followed up as well: when the deadline of a good slot comes, an older
        one may have turned out bad since it was judged.
        """
        job = self.jobs[slot.job]
        runs = self._store.runs_of(slot.job, slot.at)
        if not slot.owed and not runs:
            self._store.drop_slot(slot.job, slot.at)
            return
        before = self._store.slot(slot.job, slot.at)
        judgment = judge(job, slot, runs, now if all_read else min(now, _decided_at(before)))
        if judgment.until is not None:
            self.deadlines.add(Moment(judgment.until, slot.job, slot.at))
        run = next((r for r in runs if r.run == judgment.run), None)
        judged = JudgedSlot(
            slot=slot,
            judgment=judgment,
            decided_at=now,
            found_late=judgment.verdict.bad and now - _fact(job, slot, run) > FOUND_LATE_AFTER,
            triggered_by=by,
        )
        if before is not None and before.judgment.verdict is judgment.verdict:
            judged = replace(before, judgment=judgment)
        if judged != before:
            self._store.save_slot(judged)
        self._follow_up(before.judgment.verdict if before else None, judged, run, now)

    def tell(self, notice: Notice, channels: tuple[str, ...] | None = None) -> None:
        """Queue a notice. `channels` None: the default route."""
        for channel in self._scope.route(notice.severity, channels):
            self._store.outbox.add(notice, channel)

    def _judge_next(self, job: Job, by: TriggeredBy, now: datetime, up_to: datetime) -> None:
        """Judge the slots of which nothing was heard and whose first moment has come."""
        schedule = parse(job.schedule, job.timezone)
        cursor = self._tenures[job.name].cursor
        slot = make_slot(job, schedule.next_after(cursor))
        while first_moment(job, slot) <= up_to:
            self.judge(slot, by, now, all_read=True)
            cursor = slot.at
            slot = make_slot(job, schedule.next_after(cursor))
        tenure = replace(self._tenures[job.name], cursor=cursor)
        self._tenures[job.name] = tenure
        self._store.save_tenure(tenure)
        self.deadlines.add(Moment(first_moment(job, slot), job.name, None))

    def _await_next(self, job: Job, cursor: datetime) -> None:
        slot = make_slot(job, parse(job.schedule, job.timezone).next_after(cursor))
        self.deadlines.add(Moment(first_moment(job, slot), job.name, None))

    def _follow_up(
        self, before: Verdict | None, judged: JudgedSlot, run: Run | None, now: datetime
    ) -> None:
        old = self._incidents.get(judged.slot.job)
        incident, kind = step(old, before, judged, now)
        if incident is None or incident == old:
            return
        if kind is not None and self._announce(kind, incident, judged, run):
            incident = replace(incident, announced=True)
        self._keep(incident)

    def _announce(
        self, kind: AlertKind, incident: Incident, judged: JudgedSlot, run: Run | None
    ) -> bool:
        """Queue an alert; a recovery goes where the opening went. False: nobody is to be told."""
        job = self.jobs[incident.job]
        if kind is AlertKind.OPENED:
            route = self._scope.route(job.severity, job.channels)
        else:
            told = self._store.outbox.channels_of(incident.id)
            route = [channel for channel in told if channel in self._scope.channels]
        alert = messages.alert(kind, self._scope, incident, judged, run)
        queued = [self._store.outbox.add(alert, channel) for channel in route]
        return any(queued)

    def _keep(self, incident: Incident) -> None:
        self._store.save_incident(incident)
        if incident.closed_at is None:
            self._incidents[incident.job] = incident
        else:
            self._incidents.pop(incident.job, None)

    def _end_tenure(self, tenure: Tenure, now: datetime) -> None:
        self._store.save_tenure(replace(tenure, active=False))
        self._store.settle_slots(tenure.job)
        self._store.note("unowed", now, job=tenure.job)
        incident = self._store.open_incidents().get(tenure.job)
        if incident is None:
            return
        job = self._scope.jobs.get(tenure.job)
        self._keep(closed(incident, "removed" if job is None else "disabled", now))
        notice = messages.unwatched(self._scope, job, incident, now)
        self.tell(notice, self._store.outbox.channels_of(incident.id))


def _decided_at(before: JudgedSlot | None) -> datetime:
    return _LONG_AGO if before is None else before.decided_at


def _fact(job: Job, slot: Slot, run: Run | None) -> datetime:
    """Say when what makes a slot bad came to pass."""
    if run is None:
        return first_moment(job, slot)
    return run.ended_at or own_deadline(job, slot, run)
