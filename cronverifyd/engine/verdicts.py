"""From slots and time to verdicts, from verdicts to incidents and what people are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cronverifyd.engine import messages
from cronverifyd.engine.deadlines import Deadlines, Moment
from cronverifyd.engine.due import Walk, by_instant, unsettled
from cronverifyd.judge.incidents import (
    SHORT_WHILE,
    Recent,
    closed,
    inherited,
    matters,
    needed,
    next_reminder,
    reminded,
    step,
)
from cronverifyd.judge.maintenance import window_at
from cronverifyd.judge.runs import skips
from cronverifyd.judge.verify import first_moment, judge, own_deadline, patience
from cronverifyd.model import AlertKind, JudgedSlot, MaintenanceMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronverifyd.engine.ledgers import Ledgers
    from cronverifyd.judge.incidents import Change
    from cronverifyd.model import Alert, Incident, Job, Run, Slot, Tenure, TriggeredBy

FOUND_LATE_AFTER = timedelta(seconds=60)
"""A bad verdict that comes later than this after the fact says so: nobody was looking."""


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Verdicts:
    """The judged slots of one store, with what has to be at hand: incidents and deadlines.

    Everything that writes belongs into a transaction of the store. After one that failed,
    `remember` brings what is at hand back in line.
    """

    def __init__(self, ledgers: Ledgers) -> None:
        self._scope = ledgers.scope
        self._store = ledgers.store
        self._calendars = ledgers.calendars
        self._sight = ledgers.sight
        self._findings = ledgers.findings
        self._measuring = ledgers.measuring
        self._causes = ledgers.causes
        self._teller = ledgers.teller
        self.jobs = ledgers.scope.watched()
        self.deadlines = Deadlines(ledgers.scope.fallback)
        self._incidents: dict[str, Incident] = {}

    def remember(self) -> None:
        """Read from the store what has to be at hand."""
        known = self._store.open_incidents()
        self._incidents = {name: known[name] for name in known.keys() & self.jobs.keys()}
        self.deadlines = Deadlines(self._scope.fallback)
        for judged in self._store.undecided():
            if judged.slot.job in self.jobs and judged.judgment.until is not None:
                moment = Moment(judged.judgment.until, judged.slot.job, judged.slot.at)
                self.deadlines.add(moment)
        for job in self.jobs.values():
            cursor = self._calendars.cursor(job.name)
            self._await(job, self._calendars.schedule(job).next_after(cursor))

    def judge_due(self, by: TriggeredBy, now: datetime, triggered: frozenset[str]) -> None:
        """Judge all slots whose moment has come. The files must have been read to their ends."""
        walks: list[Walk] = []
        for moment in self.deadlines.pop_due(now, triggered):
            job = self.jobs[moment.job]
            if moment.slot is None:
                wait = timedelta() if job.name in triggered else self._scope.fallback
                walks.append(self._walk(job, now - wait - patience(job)))
            elif (judged := self._store.slot(job.name, moment.slot)) is not None:
                self.judge(judged.slot, by, now, all_read=True)
        for at, names in by_instant(walks):
            for job in (self.jobs[name] for name in unsettled(self._store, at, names)):
                if not skips(job, at):
                    self.judge(self._calendars.slot(job, at), by, now, all_read=True)
        self._calendars.move({walk.job: walk.cursor for walk in walks})
        for walk in walks:
            self._await(self.jobs[walk.job], walk.upcoming)

    def judge_unknown(self, by: TriggeredBy, now: datetime) -> None:
        """Judge again what nobody could see: a file can be read again, and has been read."""
        for judged in self._store.unknown_slots():
            if judged.slot.job in self.jobs:
                self.judge(judged.slot, by, now, all_read=True)

    def judge_again(self, job: str, at: datetime, by: TriggeredBy, now: datetime) -> None:
        """Judge a slot of which something new is known that is in no outcome file."""
        judged = self._store.slot(job, at)
        if judged is not None and job in self.jobs:
            self.judge(judged.slot, by, now)

    def judge(self, slot: Slot, by: TriggeredBy, now: datetime, *, all_read: bool = False) -> None:
        """Judge one slot, keep the verdict if it is new, and follow it up.

        `all_read`: everything written up to now has been read, so that what is not known is not
        there. Else time makes no new verdict; one that it has made stays.
        """
        job = self.jobs[slot.job]
        runs = self._store.runs_of(slot.job, slot.at)
        if not slot.owed and not runs:
            self._store.drop_slot(slot.job, slot.at)
            return
        before = self._store.slot(slot.job, slot.at)
        moment = now if all_read else min(now, _decided_at(before))
        judgment = judge(job, slot, runs, moment, self._sight.holes_of(job.name))
        run = next((r for r in runs if r.run == judgment.run), None)
        found_late = judgment.verdict.bad and now - _fact(job, slot, run) > FOUND_LATE_AFTER
        fresh = JudgedSlot(
            slot=slot,
            judgment=judgment,
            decided_at=now,
            found_late=found_late,
            triggered_by=by,
        )
        judged = self._with_history(job, fresh, before)
        if judged.judgment.until is not None:
            self.deadlines.add(Moment(judged.judgment.until, slot.job, slot.at))
        if judged != before:
            self._store.save_slot(judged)
        self._measuring.look_at(job, runs, slot.at, now)
        if len(runs) > slot.starts:
            self._findings.see_slot(slot.job, slot.at)
        self._follow_up(job, judged, run, now)

    def end(self, tenure: Tenure, now: datetime) -> None:
        """Expect nothing more of a job that was disabled or removed; its incident closes."""
        self._store.settle_slots(tenure.job)
        incident = self._store.open_incidents().get(tenure.job)
        if incident is None:
            return
        job = self._scope.jobs.get(tenure.job)
        self._keep(closed(incident, "removed" if job is None else "disabled", now))
        notice = messages.unwatched(self._scope, job, incident, now)
        told = self._scope.known(self._store.outbox.channels_of(incident.id))
        self._teller.tell(notice, told)

    def _walk(self, job: Job, last: datetime) -> Walk:
        """Begin at a job's cursor; the slots up to `last` are due."""
        cursor = self._calendars.cursor(job.name)
        return Walk(job.name, cursor, self._calendars.schedule(job).slots_after(cursor), last)

    def _await(self, job: Job, at: datetime | None) -> None:
        if at is not None:
            self.deadlines.add(Moment(at + patience(job), job.name, None))

    def _with_history(self, job: Job, fresh: JudgedSlot, before: JudgedSlot | None) -> JudgedSlot:
        """Add what is known of a slot to its new judgment; the same verdict keeps its date."""
        judgment = fresh.judgment
        quiet_until = self._quiet_until(job, fresh, before)
        quiet = quiet_until is not None
        if quiet_until is not None and judgment.verdict.bad and quiet_until > fresh.decided_at:
            judgment = replace(judgment, until=quiet_until)
        if before is not None and before.judgment.verdict is judgment.verdict:
            return replace(before, slot=fresh.slot, judgment=judgment, quiet=quiet)
        incident = inherited(before, self._incidents.get(job.name))
        return replace(fresh, judgment=judgment, incident=incident, quiet=quiet)

    def _quiet_until(
        self, job: Job, fresh: JudgedSlot, before: JudgedSlot | None
    ) -> datetime | None:
        """Say until when maintenance keeps a slot from counting; None: it counts.

        A muted slot that is the job's newest, and still bad when its window is over, counts.
        """
        slot = fresh.slot
        if not slot.owed and (skipped := window_at(job, slot.at, MaintenanceMode.SKIP)):
            return skipped.until
        muted = window_at(job, slot.at, MaintenanceMode.MUTE)
        if muted is None or (before is not None and before.incident is not None):
            return None
        is_over = fresh.decided_at >= muted.until
        if is_over and fresh.judgment.verdict.bad and self._is_newest(slot):
            return None
        return muted.until

    def _is_newest(self, slot: Slot) -> bool:
        last = self._store.last_due(slot.job)
        return last is None or last.slot.at <= slot.at

    def _follow_up(self, job: Job, judged: JudgedSlot, run: Run | None, now: datetime) -> None:
        """Open, join or close the job's incident.

        Where an older slot turns out bad, the newer ones are looked at once more, in their order:
        good ones may close at once what it opened.
        """
        if not self._step(job, judged, run, now) or judged.judgment.verdict.good:
            return
        slots = self._store.slots_that_count(job.name, needed(job))
        for newer in reversed([s for s in slots if s.slot.at > judged.slot.at]):
            known = newer.judgment.run and self._store.run(job.name, newer.judgment.run)
            self._step(job, newer, known[0] if known else None, now)

    def _step(self, job: Job, judged: JudgedSlot, run: Run | None, now: datetime) -> bool:
        """Do what a slot's verdict does to the job's incident; False: nothing."""
        incident = self._incidents.get(job.name)
        if not matters(incident, judged):
            return False
        slots = self._store.slots_that_count(job.name, needed(job))
        change = step(incident, judged, self._recent(job, slots), job, now)
        if change is not None:
            self._apply(change, judged, run)
        return change is not None

    def _recent(self, job: Job, slots: Sequence[JudgedSlot]) -> Recent:
        since = slots[:SHORT_WHILE][-1].slot.at
        return Recent(slots, self._store.openings_since(job.name, since))

    def _apply(self, change: Change, judged: JudgedSlot, run: Run | None) -> None:
        incident = change.incident
        for joined in change.joined:
            self._store.save_slot(replace(joined, incident=incident.id))
        if change.tells is AlertKind.RECOVERED:
            self._keep(incident)
            self._heal(incident, judged, run)
            return
        if change.tells is not None:
            incident = self._open(change.tells, incident, judged, run)
        elif _is_folded(incident):
            # It was told with a cause only; where it is bad without that, it is news.
            key, _ = self._causes.proof(judged, run) or (None, "")
            if key != incident.cause:
                incident = self._open(AlertKind.OPENED, incident, judged, run)
        self._keep(incident)

    def next_reminder(self) -> datetime | None:
        """Say when an open incident has to be told again, or None."""
        ladder = self._scope.remind
        due = (next_reminder(incident, ladder) for incident in self._incidents.values())
        return min((at for at in due if at is not None), default=None)

    def remind(self, now: datetime) -> None:
        """Tell again of the incidents that are open for long."""
        for incident in list(self._incidents.values()):
            told = reminded(incident, self._scope.remind, now)
            judged = self._store.slot(incident.job, incident.last_bad_slot)
            if told != incident and judged is not None:
                known = judged.judgment.run and self._store.run(incident.job, judged.judgment.run)
                run = known[0] if known else None
                _, because = self._causes.proof(judged, run) or (None, None)
                alert = messages.alert(AlertKind.REMINDED, self._scope, told, judged, run)
                alert = self._with_host(alert, because)
                heard = self._teller.tell(alert, self._told_of(incident))
                told = replace(told, announced=told.announced or heard)
            if told != incident:
                self._keep(told)

    def _open(
        self, kind: AlertKind, incident: Incident, judged: JudgedSlot, run: Run | None
    ) -> Incident:
        """Tell of an incident that opens; give it as it is then."""
        job = self.jobs[incident.job]
        key, because = self._causes.proof(judged, run) or (None, None)
        alert = messages.alert(kind, self._scope, incident, judged, run)
        alert = self._with_host(alert, because)
        told = self._teller.open(alert, self._scope.route(job.severity, job), key)
        return replace(incident, cause=key, because=because, announced=told)

    def _heal(self, incident: Incident, judged: JudgedSlot, run: Run | None) -> None:
        """Tell of a recovery where the opening was told."""
        alert = messages.alert(AlertKind.RECOVERED, self._scope, incident, judged, run)
        alert = replace(alert, cause=incident.because)
        others = (each.cause for each in self._incidents.values())
        last = incident.cause not in set(others)
        self._teller.heal(alert, self._told_of(incident), incident.cause, last=last)

    def _told_of(self, incident: Incident) -> list[str]:
        return self._scope.known(self._store.outbox.channels_of(incident.id))

    def _with_host(self, alert: Alert, because: str | None) -> Alert:
        """Add to an alert what the host proves, and what it is like."""
        return replace(alert, cause=because, host_says=self._causes.says(alert.timezone))

    def _keep(self, incident: Incident) -> None:
        self._store.save_incident(incident)
        if incident.closed_at is None:
            self._incidents[incident.job] = incident
        else:
            self._incidents.pop(incident.job, None)


def _is_folded(incident: Incident) -> bool:
    """Say whether people were told of its cause only, and not of the job."""
    is_open = incident.closed_at is None
    return is_open and incident.cause is not None and not incident.announced


def _decided_at(before: JudgedSlot | None) -> datetime:
    return _LONG_AGO if before is None else before.decided_at


def _fact(job: Job, slot: Slot, run: Run | None) -> datetime:
    """Say when what makes a slot bad came to pass."""
    if run is None:
        return first_moment(job, slot)
    return run.ended_at or run.lost_at or own_deadline(job, slot, run)
