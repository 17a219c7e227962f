"""A whole engine over real files and a real database; only the clock is ours."""

import json
import os
import sqlite3
from dataclasses import replace

from cronverifyd.engine.engine import Engine, Hands
from cronverifyd.intake.tail import Tail
from cronverifyd.model import (
    Channel,
    Delivered,
    Delivery,
    DeliveryResult,
    Digest,
    HostFacts,
    Look,
    TriggeredBy,
    Verify,
)
from cronverifyd.scope import Scope
from cronverifyd.store.sqlite import DATABASE, Store
from tests.builders import at, job, seconds

SENT = Delivery(result=DeliveryResult.SENT, receipt="ok")
CHANNELS = {"ops": Channel(name="ops", kind="console")}


class Machine:
    """A host that tells what a test says: this boot, and which runs have lost their process."""

    def __init__(self):
        self.boot, self.booted_at = "boot-1", at("2024-05-01T00:00:00+00:00")
        self.losses, self.looks = {}, 0
        self.facts = HostFacts(at=self.booted_at)

    def look(self, now, paths):
        del paths
        self.looks += 1
        return replace(self.facts, at=now)

    def loss_of(self, run):
        return self.losses.get(run.run)


class World:
    """An engine that can be closed and opened again, and the channels it hands messages to."""

    def __init__(
        self, folder, *jobs, now="00:00", channels=CHANNELS, fallback_s=0, outcomes=None, **options
    ):
        self.folder = folder
        self.path = folder / "outcomes.jsonl"
        self.outcomes = outcomes or [str(self.path)]
        self.handed = []
        self.unmeasured = []
        self.rehearsals, self.beats, self.reports = [], [], []
        self.host = Machine()
        self.options = {"channels": channels, "fallback_s": fallback_s}
        self.options |= {"gather_s": 0, "second": (), "remind_s": (), "drills": False} | options
        self.open(*(jobs or (job(),)), now=now)

    def open(self, *jobs, now, **options):
        self.options |= options
        scope = Scope(
            jobs={each.name: each for each in jobs},
            channels=self.options["channels"],
            default_route=self.options.get("route", tuple(self.options["channels"])),
            instance="web1",
            state_dir=self.folder,
            fallback=seconds(self.options["fallback_s"]),
            gather=seconds(self.options["gather_s"]),
            second=self.options["second"],
            drills=self.options["drills"],
            heartbeat=self.options.get("heartbeat"),
            triggered=self.options.get("triggered", False),
            reports=self.options.get("triggered", False),
            remind=tuple(seconds(each) for each in self.options["remind_s"]),
        )
        self.jobs, self.scope = jobs, scope
        self.store = Store(self.folder)
        self.tail = Tail(self.outcomes, self.store.marks())
        hands = Hands(
            send=self._take,
            measure=self.unmeasured.append,
            rehearse=self.rehearsals.append,
            report=self.reports.append,
            beat=self.beats.append,
        )
        self.engine = Engine(scope, self.store, self.tail, self.host, hands)
        self.engine.begin(at(now))

    def close(self):
        self.tail.close()
        self.store.close()

    def reopen(self, *jobs, now, **options):
        self.close()
        self.open(*(jobs or self.jobs), now=now, **options)

    def _take(self, channel, rows, message):
        self.handed.append((channel, rows, message))

    # ---- what happens -----------------------------------------------------------------------

    def write(self, *lines, path=None, mtime=None):
        target = path or self.path
        with target.open("ab") as file:
            file.write(b"".join(lines))
        if mtime is not None:
            os.utime(target, (at(mtime).timestamp(),) * 2)

    def look(self, now, *lines, by=TriggeredBy.FILE):
        """Write lines and look; messages that are handed over are reported as sent."""
        self.write(*lines)
        self.engine.handle(Look(triggered_by=by), at(now))
        while self.engine.backlog:
            self.engine.handle(Look(triggered_by=by), at(now))
        return self.deliver(now)

    def look_only(self, now):
        """Look without writing a line."""
        self.engine.handle(Look(triggered_by=TriggeredBy.TIMER), at(now))
        return self.deliver(now)

    def deliver(self, now, delivery=SENT):
        """Report on all that was handed over, until nothing more comes; give the messages."""
        told = []
        while self.handed:
            channel, rows, message = self.handed.pop(0)
            told += message.parts if isinstance(message, Digest) else [message]
            self.report(now, channel, rows, message, delivery)
        return told

    def report(self, now, channel, rows, message, delivery=SENT):
        del message
        report = Delivered(rows=rows, channel=channel, delivery=delivery)
        self.engine.handle(report, at(now))

    def verify(self, now, *names, **keys):
        jobs = names or None
        return self.engine.handle(Verify(jobs=jobs, **keys), at(now))

    # ---- what is so -------------------------------------------------------------------------

    def slot(self, text, name="db-backup"):
        return self.store.slot(name, at(text))

    def verdict(self, text, name="db-backup"):
        """Give a slot's verdict, or None for a slot that was not judged."""
        judged = self.slot(text, name)
        return None if judged is None else str(judged.judgment.verdict)

    def incident(self, name="db-backup"):
        return self.store.open_incidents().get(name)

    def rows(self, query):
        """Ask the database through a connection of its own, which sees what is committed."""
        connection = sqlite3.connect(self.folder / DATABASE)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def journal(self):
        return [
            json.loads(each) for each in (self.folder / "journal.jsonl").read_bytes().splitlines()
        ]

    def digest(self):
        """Give all slots, incidents, runs and messages as they stand."""
        return [
            self.rows("SELECT * FROM slot ORDER BY job, slot_us"),
            self.rows("SELECT * FROM incident ORDER BY id"),
            self.rows(
                "SELECT run, job, slot_us, started_us, ended_us, status FROM run ORDER BY run, job"
            ),
            self.rows("SELECT id, incident, job, kind, channel FROM outbox ORDER BY id"),
            self.rows("SELECT * FROM job ORDER BY name"),
            self.rows("SELECT count FROM counter"),
        ]


def kinds(messages):
    return [str(message.kind) for message in messages]
