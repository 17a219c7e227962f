"""One account of CueAPI: its cues, and what comes of each time that one fires.

It has no clock and no socket: `now` is an argument, and `turn` gives what is to be delivered.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.cueapi import rules
from tests.cueapi.rules import Refused, invalid

CLAIM_S = OUTCOME_S = 300  # an outcome is expected so soon after a claim or a delivery
UNCLAIMED_S = 900
_UPDATABLE = {
    *("name", "description", "status", "schedule", "callback", "payload"),
    *("retry", "on_failure"),
}


@dataclass
class Cue:
    id: str
    shown: dict
    next_run: datetime | None


@dataclass
class Execution:
    """`status`: pending, delivering, success, failed or missed. `next_try` None: none to come."""

    id: str
    cue: Cue
    scheduled_for: datetime
    created_at: datetime
    status: str = "pending"
    attempts: int = 0
    next_try: datetime | None = None
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    outcome: dict[str, Any] | None = None


@dataclass
class Account:
    """`cue_limit`, `execution_limit`: of its plan. `allow_loopback`: a test's own listener."""

    cue_limit: int = 10
    execution_limit: int = 300
    allow_loopback: bool = False
    cues: dict[str, Cue] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    heartbeats: list = field(default_factory=list)

    # ---- cues -------------------------------------------------------------------------------

    def create(self, body, now):
        name = rules.read_name(body.get("name"))
        transport = body.get("transport", "webhook")
        if transport not in {"webhook", "worker"}:
            raise invalid("body.transport", "transport must be 'webhook' or 'worker'")
        callback = body.get("callback")
        if transport == "webhook" and not (callback or {}).get("url"):
            raise invalid("body", "callback.url is required for webhook transport")
        if self.named(name):
            raise Refused(409, "duplicate_cue_name", f"A cue named '{name}' already exists")
        if len(self.cues) >= self.cue_limit:
            raise Refused(403, "cue_limit_exceeded", f"Limit of {self.cue_limit} cues reached")
        shown = {
            "name": name,
            "description": body.get("description"),
            "status": "active",
            "transport": transport,
            "callback": {"url": None, "method": "POST", "headers": {}} | self._callback(callback),
            "payload": rules.read_payload(body.get("payload") or {}),
            "retry": rules.read_retry(body.get("retry") or {}),
            "on_failure": rules.read_on_failure(body.get("on_failure") or {}),
        }
        shown["schedule"], next_run = rules.read_schedule(body.get("schedule"), now)
        cue = Cue(f"cue_{uuid.uuid4().hex[:12]}", shown, next_run)
        self.cues[cue.id] = cue
        return self.show(cue)

    def _callback(self, value):
        return rules.read_callback(value, allow_loopback=self.allow_loopback) if value else {}

    def patch(self, cue, body, now):
        """Change what is given, each group whole; null leaves it alone.

        A schedule, even the same one, counts the next fire from now: one that is due is lost.
        """
        if unknown := set(body) - _UPDATABLE:
            raise invalid(f"body.{min(unknown)}", "Extra inputs are not permitted")
        given = {key: value for key, value in body.items() if value is not None}
        if given.get("name", cue.shown["name"]) != cue.shown["name"] and self.named(given["name"]):
            raise Refused(500, "internal_error", "An internal error occurred")
        if given.get("status", "active") not in {"active", "paused"}:
            raise invalid("body.status", "status must be 'active' or 'paused'")
        changed, next_run = self._groups(cue, given, now)
        cue.shown.update(changed)
        if given.get("status") == "active":
            schedule = cue.shown["schedule"]
            next_run = rules.next_fire(schedule["cron"], schedule["timezone"], now)
        cue.next_run = None if cue.shown["status"] == "paused" else next_run
        return self.show(cue)

    def _groups(self, cue, given, now):
        changed = {key: given[key] for key in given.keys() & {"name", "description", "status"}}
        next_run = cue.next_run
        if "callback" in given:
            kept = {"url": cue.shown["callback"]["url"]}
            changed["callback"] = kept | self._callback(given["callback"])
        if "payload" in given:
            changed["payload"] = rules.read_payload(given["payload"])
        if "retry" in given:
            changed["retry"] = rules.read_retry(given["retry"])
        if "on_failure" in given:
            changed["on_failure"] = rules.read_on_failure(given["on_failure"])
        if "schedule" in given:
            changed["schedule"], next_run = rules.read_schedule(given["schedule"], now)
        return changed, next_run

    def cue(self, id_):
        if id_ not in self.cues:
            raise Refused(404, "cue_not_found", "Cue not found")
        return self.cues[id_]

    def delete(self, cue):
        """Take the cue, and all its executions, away."""
        del self.cues[cue.id]
        gone = [each.id for each in self.executions.values() if each.cue is cue]
        for id_ in gone:
            del self.executions[id_]

    def page(self, limit, offset):
        if not (1 <= limit <= 100 and offset >= 0):
            raise invalid("query.limit", "Input should be from 1 to 100")
        newest_first = [self.show(cue) for cue in reversed(self.cues.values())]
        page = newest_first[offset : offset + limit]
        return {"cues": page, "total": len(newest_first), "limit": limit, "offset": offset}

    def named(self, name):
        return next((cue for cue in self.cues.values() if cue.shown["name"] == name), None)

    def show(self, cue):
        next_run = cue.next_run and cue.next_run.isoformat()
        return {"id": cue.id, **cue.shown, "next_run": next_run, "last_run": None, "run_count": 0}

    def usage(self):
        used = sum(each.status in {"success", "failed"} for each in self.executions.values())
        cues, limit = len(self.cues), self.cue_limit
        return {
            "plan": "free",
            "cues": {"used": cues, "limit": limit, "remaining": max(0, limit - cues)},
            "executions": {"used": used, "limit": self.execution_limit},
        }

    # ---- executions -------------------------------------------------------------------------

    def fire(self, cue, now):
        """Fire a cue by hand, a paused one as well."""
        return self._begin(cue, now, now)

    def _begin(self, cue, scheduled_for, now):
        execution = Execution(str(uuid.uuid4()), cue, scheduled_for, now)
        execution.next_try = now if cue.shown["transport"] == "webhook" else None
        self.executions[execution.id] = execution
        return execution

    def turn(self, now):
        """Fire each due cue once, and give the executions that are to be delivered.

        One fire a turn: after a downtime the slots that were missed come one after the other.
        """
        for cue in self.cues.values():
            if cue.next_run is not None and cue.next_run <= now:
                self._begin(cue, cue.next_run, now)
                schedule = cue.shown["schedule"]
                cue.next_run = rules.next_fire(schedule["cron"], schedule["timezone"], cue.next_run)
        for each in self.executions.values():
            old = now - each.created_at > timedelta(seconds=UNCLAIMED_S)
            if each.status == "pending" and each.next_try is None and old:
                each.status = "missed"
            elif each.status == "delivering" and self._outcome_is_late(each, now):
                each.status = "outcome_timeout"
        due = list(self.executions.values())
        return [each for each in due if each.next_try is not None and each.next_try <= now]

    def _outcome_is_late(self, execution, now):
        return now - execution.claimed_at > timedelta(seconds=OUTCOME_S)

    def tried(self, execution, delivered, now):
        """Note what came of an attempt: only 2xx is delivered, all else is tried again."""
        retry = execution.cue.shown["retry"]
        execution.attempts += 1
        execution.next_try = None
        if delivered:
            execution.status = "success"
        elif execution.attempts >= retry["max_attempts"]:
            execution.status = "failed"
        else:
            waits = retry["backoff_minutes"]
            wait = waits[min(execution.attempts, len(waits)) - 1]
            execution.next_try = now + timedelta(minutes=wait)

    def execution(self, id_):
        if id_ not in self.executions:
            raise Refused(404, "execution_not_found", "Execution not found")
        return self.executions[id_]

    def report(self, execution, body):
        """Record an outcome, once."""
        if execution.outcome is not None:
            raise Refused(409, "outcome_already_recorded", "Outcome has already been recorded")
        execution.outcome = rules.read_outcome(body)
        if execution.cue.shown["transport"] == "worker":
            execution.status = "success" if body["success"] else "failed"
        return {"execution_id": execution.id, "outcome_recorded": True}

    def claimable(self, task):
        """List what workers can claim: the filter comes after the cut at 50."""
        waiting = [
            each
            for each in self.executions.values()
            if each.status == "pending" and each.cue.shown["transport"] == "worker"
        ]
        oldest = sorted(waiting, key=lambda each: each.scheduled_for)[:50]
        shown = [self._claimable(each) for each in oldest]
        return {"executions": [each for each in shown if task in {None, each["task"]}]}

    def _claimable(self, execution):
        payload = execution.cue.shown["payload"]
        return {
            "execution_id": execution.id,
            "cue_id": execution.cue.id,
            "cue_name": execution.cue.shown["name"],
            "task": payload.get("task"),
            "scheduled_for": execution.scheduled_for.isoformat(),
            "payload": payload,
            "attempt": execution.attempts,
        }

    def claim(self, execution, worker, now):
        if not isinstance(worker, str) or not 1 <= len(worker) <= 255:
            raise invalid("body.worker_id", "String should have 1 to 255 characters")
        if execution.status != "pending" or execution.cue.shown["transport"] != "worker":
            raise Refused(409, "claim_failed", "Execution not available for claiming")
        execution.status, execution.claimed_by, execution.claimed_at = "delivering", worker, now
        execution.attempts += 1
        return {"claimed": True, "execution_id": execution.id, "lease_seconds": CLAIM_S}
