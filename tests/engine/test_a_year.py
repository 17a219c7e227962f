"""A simulated year of 100 jobs in four zones: all that breaks is found, and nothing else is told.

The jobs run as cron runs them (both nights of a clock change included), some seconds late or by a
clock that is some seconds early, and for as long as they like. One run in 500 breaks in some way.
"""

import gzip
import json
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from cronverifyd.daemon.surveyor import survey
from cronverifyd.judge.schedule import parse
from cronverifyd.model import (
    Alert,
    AlertKind,
    ArtifactRule,
    FindingKind,
    Loss,
    Notice,
    NoticeKind,
)
from tests.builders import job
from tests.engine.world import World

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
LAST = datetime(2025, 1, 1, tzinfo=UTC)
"""The last instant lived. What is due by then is planned, and nothing breaks in the last hours."""

STEP = timedelta(minutes=30)
WINDOW = timedelta(minutes=35)
pytestmark = pytest.mark.year
HOUR = timedelta(hours=1)

# way → the verdict that is told, and the one that stands in the end
WAYS = {
    "fails": ("failed", "failed"),
    "never starts": ("missed", "missed"),
    "says success and did nothing": ("unmet", "unmet"),
    "is killed": ("interrupted", "interrupted"),
    "takes too long": ("overrun", "late"),
    "hangs": ("overrun", "overrun"),
    "starts late": (None, "ok"),
    "is repaired by hand": ("failed", "late"),
    "makes an empty file": ("artifact", "artifact"),
    "makes half a file": ("artifact", "artifact"),
    "makes no file": ("artifact", "artifact"),
}
OF_ARTIFACTS = [way for way in WAYS if way.startswith("makes")]


@dataclass
class Year:
    """What happens, in order, and what a careful operator would say of it."""

    folder: object
    chance: random.Random
    happenings: list = field(default_factory=list)
    verdicts: dict = field(default_factory=dict)
    told: dict = field(default_factory=dict)
    losses: dict = field(default_factory=dict)
    count: int = 0

    def jobs(self):
        for zone in ZONES:
            for number in range(25):
                yield self._job(zone, number)

    def _job(self, zone, number):
        minute, hour = self.chance.randrange(60), self.chance.choice([0, 1, 2, 2, 2, 3, 3, 12, 23])
        schedule = f"{minute} {hour} * * *"
        if number < 3:
            schedule = f"{minute} */6 * * *"
        elif number < 5:
            schedule = ["every 4h", f"{minute} {hour} * * 1"][number - 3]
        name = f"{zone.split('/')[1].lower()}-{number}"
        rules = (ArtifactRule(path=str(self.folder / name / "*.gz"), min_size=100.0, opens=True),)
        return job(
            name=name,
            schedule=schedule,
            timezone=zone,
            max_duration_s=1800.0,
            grace_s=300.0,
            expect=("metric.rows >= 1",),
            artifacts=rules if number >= 22 else (),
        )

    def plan(self, each):
        schedule = parse(each.schedule, each.timezone)
        was_broken = True  # the first one is good, so that each breakage stands alone
        at = schedule.next_after(FIRST)
        while at <= LAST - WINDOW:
            ways = [way for way in WAYS if each.artifacts or way not in OF_ARTIFACTS]
            may_break = not was_broken and at < LAST - 8 * HOUR
            broken = may_break and self.chance.random() < 1 / 500
            way = self.chance.choice(ways) if broken else "is well"
            for start in range(schedule.starts_at(at)):
                self._run(each, at, way if start == 0 else "is well")
            told, stands = WAYS.get(way, (None, "ok"))
            self.verdicts[each.name, at] = stands
            if told is not None:
                self.told[each.name, at] = told
            was_broken = broken
            at = schedule.next_after(at)

    def _run(self, each, slot, way):
        early = 3.0 if each.schedule[:5] != "every" else 0.0
        start = slot.astimezone(UTC) + timedelta(seconds=self.chance.uniform(-early, 20))
        took = timedelta(seconds=min(1500, self.chance.lognormvariate(4, 1.2)))
        if way == "never starts":
            return
        if way == "starts late":
            start += timedelta(minutes=7)
        if way == "takes too long":
            took = WINDOW + timedelta(minutes=self.chance.uniform(50, 90))
        if way == "is repaired by hand":
            again = slot.astimezone(UTC) + WINDOW + HOUR
            self._tell(each, again, took, "is well")
            way = "fails"
        self._tell(each, start, took, way)

    def _tell(self, each, start, took, way):
        self.count += 1
        run = f"r{self.count}"
        facts = {"host": "web1", "boot": "boot-1", "pid": 1000 + self.count, "pid_start": 1}
        self._say(start, each, event="start", run=run, **facts)
        if way == "is killed":
            self.losses[run] = start + took
        if way in {"hangs", "is killed"}:
            return
        status = "failed" if way == "fails" else "success"
        rows = 0 if way == "says success and did nothing" else 5
        if each.artifacts:
            self.happenings.append((start + took / 2, self._make(each, way, start + took / 2)))
        told = {"event": "finish", "status": status, "metrics": {"rows": rows}}
        self._say(start + took, each, run=run, **told)

    def _say(self, at, each, **told):
        line = json.dumps({"job": each.name, "at": at.isoformat()} | told).encode() + b"\n"
        self.happenings.append((at, line))

    def _make(self, each, way, at):
        folder = self.folder / each.name
        whole = gzip.compress(self.chance.randbytes(self.chance.randint(300, 600)))
        data = {"makes an empty file": b"", "makes half a file": whole[: len(whole) // 2]}

        def make():
            folder.mkdir(parents=True, exist_ok=True)
            if way != "makes no file":
                path = folder / f"dump-{at:%m%d%H}.gz"
                path.write_bytes(data.get(way, whole))
                os.utime(path, (at.timestamp(),) * 2)

        return make


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Live through the year; give what was planned, what was told, and the engine's world."""
    folder = tmp_path_factory.mktemp("year")
    year = Year(folder / "made", random.Random(20240101))
    jobs = list(year.jobs())
    for each in jobs:
        year.plan(each)
    year.happenings.sort(key=lambda happening: happening[0])
    world = World(folder, *jobs, now=FIRST.isoformat())
    messages = _live(year, world)
    yield year, messages, world
    world.close()


def _live(year, world):
    messages = []
    todo = iter([*year.happenings, (LAST, None)])
    at, happening = next(todo)
    now = FIRST
    while now < LAST:
        now += STEP
        lines = []
        while at <= now and happening is not None:
            if callable(happening):
                happening()
            else:
                lines.append(happening)
            at, happening = next(todo)
        world.host.losses = {run: Loss.GONE for run, lost in year.losses.items() if lost <= now}
        messages += world.look(now.isoformat(), *lines)
        while world.unmeasured:
            world.engine.handle(survey(world.unmeasured.pop(0)), now)
        messages += world.deliver(now.isoformat())
    return messages


def test_every_slot_has_the_verdict_that_a_careful_operator_would_give(lived):
    year, _, world = lived
    found = {
        (name, datetime.fromisoformat(slot)): verdict
        for name, slot, verdict in world.rows("SELECT job, slot, verdict FROM slot")
    }
    wrong = {
        key: (found.get(key), verdict)
        for key, verdict in year.verdicts.items()
        if found.get(key) != verdict
    }
    assert wrong == {}
    assert {key for key, verdict in found.items() if verdict != "pending"} == set(year.verdicts)


def test_everything_that_broke_was_told_once_and_nothing_else(lived):
    year, messages, _ = lived
    opened = [m for m in messages if isinstance(m, Alert) and m.kind is AlertKind.OPENED]
    assert {(m.job, m.slot): str(m.verdict) for m in opened} == year.told
    assert len(opened) == len(year.told)


def test_every_incident_was_closed_by_the_next_good_slot(lived):
    year, messages, world = lived
    recovered = [m for m in messages if isinstance(m, Alert) and m.kind is AlertKind.RECOVERED]
    assert len(recovered) == len(year.told)
    assert world.store.open_incidents() == {}


def test_nothing_else_was_found_odd(lived):
    _, messages, _ = lived
    notices = [m for m in messages if isinstance(m, Notice)]
    assert {m.kind for m in notices} <= {NoticeKind.FINDING}
    assert {m.id.split("-")[0] for m in notices} <= {str(FindingKind.OVERLAP)}


def test_the_year_had_enough_of_everything(lived):
    year, _, _ = lived
    counts = Counter(year.verdicts.values())
    assert len(year.verdicts) > 40_000
    assert len(year.told) > 60
    assert counts.keys() == {stands for _, stands in WAYS.values()}
