"""How fast verdicts are reached, beside floors in the same run and on the same database.

Two gates of many jobs that are due at one instant, one of a whole day, and one of memory:

  judging the due slots of 10,000 jobs, against 2,000,000 runs
      at most 4 x one plain range query of the runs of that instant
      at least 10 x as fast as a query a job, which is how the tutorial's verifier asks
  a day's audit of 365,000 slots, from the calendar to the kept cursors
      at most 7 x the same join in SQL alone, without a calendar
  memory: what the audit of two days takes is what that of one takes, within a half

A ratio is the median of its rounds; both sides of it are measured in turn.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cronverifyd.engine.due import unsettled
from cronverifyd.engine.engine import Engine, Hands
from cronverifyd.host.machine import Machine
from cronverifyd.intake.tail import Tail
from cronverifyd.judge.schedule import parse
from cronverifyd.model import Job, Look, TriggeredBy
from cronverifyd.scope import Scope
from cronverifyd.store.sqlite import DATABASE, Store

ROUNDS = 5
FIRST = datetime(2024, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BROKEN = 500
"""One slot in so many was missed, and so has neither a run nor a verdict yet."""

_RUN = (
    "INSERT INTO run (run, job, slot_us, started_us, ended_us, status, exit_code, duration_s)"
    " VALUES (?, ?, ?, ?, ?, 'success', 0, 12.0)"
)
_SLOT = (
    "INSERT INTO slot (job, slot_us, slot, deadline_us, owed, verdict, reason, run, decided_us,"
    " found_late, triggered_by) VALUES (?, ?, ?, ?, 1, 'ok', 'ended with status \"success\"', ?, ?,"
    " 0, 'file')"
)


def us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def job(name: str, schedule: str) -> Job:
    return Job(name=name, schedule=schedule, timezone="UTC", max_duration_s=1200.0, grace_s=300.0)


def fill(folder: Path, slots: list[tuple[str, datetime]]) -> None:
    """Write the rows of good runs, in the order of their slots, as the daemon does."""
    Store(folder).close()
    db = sqlite3.connect(folder / DATABASE, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    for start in range(0, len(slots), 100_000):
        part = list(enumerate(slots[start : start + 100_000], start))
        good = [(f"r{n}", name, us(at)) for n, (name, at) in part if n % BROKEN]
        second = 1_000_000
        db.executemany(_RUN, [(r, j, s, s + second, s + 13 * second) for r, j, s in good])
        texts = {us(at): at.isoformat() for _, (_, at) in part}
        db.executemany(
            _SLOT, [(j, s, texts[s], s + 1500 * second, r, s + 14 * second) for r, j, s in good]
        )
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def engine_of(folder: Path, jobs: list[Job], since: datetime) -> tuple[Engine, Store]:
    scope = Scope(
        jobs={each.name: each for each in jobs},
        channels={},
        default_route=(),
        instance="bench",
        state_dir=folder,
    )
    store = Store(folder)
    tail = Tail([str(folder / "outcomes.jsonl")], store.marks())
    hands = Hands(send=lambda *_: None, measure=id, rehearse=id, beat=id, report=id)
    engine = Engine(scope, store, tail, Machine(), hands)
    engine.begin(since)
    return engine, store


def warm(work, *given) -> float:
    """Measure with the pages at hand, as they are of runs that were written just now."""
    work(*given)
    return elapsed(work, *given)


def elapsed(work, *given) -> float:
    start = time.perf_counter()
    work(*given)
    return time.perf_counter() - start


def at_one_instant(folder: Path) -> bool:
    names = [f"job-{number:05}" for number in range(10_000)]
    instants = [FIRST + HOUR * hour for hour in range(200)]
    print("writing 2,000,000 runs ...", flush=True)
    fill(folder, [(name, at) for at in instants for name in names])
    store = Store(folder)
    db = sqlite3.connect(folder / DATABASE)

    def plain(at: datetime) -> None:
        db.execute(
            "SELECT run, job, slot_us, ended_us, status FROM run WHERE slot_us = ?", (us(at),)
        ).fetchall()

    def one_by_one(at: datetime) -> None:
        for name in names:
            db.execute(
                "SELECT status, ended_us, error FROM run WHERE slot_us = ? AND job = ?"
                " ORDER BY ended_us DESC LIMIT 1",
                (us(at), name),
            ).fetchone()

    found: list[int] = []

    def ours(at: datetime) -> None:
        found.append(len(unsettled(store, at, names)))

    rounds = [[warm(work, at) for work in (plain, one_by_one, ours)] for at in instants[-ROUNDS:]]
    store.close()
    db.close()
    floor, loop, own = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"10,000 due slots: plain range query {floor * 1e3:.1f} ms, a query a job", end=" ")
    print(f"{loop * 1e3:.1f} ms, judged {own * 1e3:.1f} ms ({found[-1]} of them not good)")
    to_floor = statistics.median(r[2] / r[0] for r in rounds)
    to_loop = statistics.median(r[1] / r[2] for r in rounds)
    fine = gate("of the plain range query", to_floor, most=4.0)
    return gate("as fast as a query a job", to_loop, least=10.0) and fine


def a_day(folder: Path) -> bool:
    jobs = [
        job(f"job-{n:05}", f"{n % 30} * * * *" if n < 5_000 else f"{n % 30},{n % 30 + 30} * * * *")
        for n in range(10_104)
    ]
    ratios, peaks = [], []
    for days in (1, 1, 2):
        state = folder / f"days-{len(ratios)}"
        state.mkdir()
        until = FIRST + DAY * days
        walks = [(j.name, parse(j.schedule, "UTC").slots_after(FIRST - HOUR / 60)) for j in jobs]
        due = sorted(
            ((name, at) for name, walk in walks for at in until_end(walk, until)),
            key=lambda each: each[1],
        )
        fill(state, due)
        alone = elapsed(in_sql_alone, state, due)
        count = len(due)
        del due, walks
        engine, store = engine_of(state, jobs, FIRST - HOUR / 60)
        reset_peak()
        before = memory_mb("VmRSS")
        own = elapsed(engine.handle, Look(triggered_by=TriggeredBy.TIMER), until + HOUR / 2)
        peaks.append(memory_mb("VmHWM") - before)
        missed = store.last_due("job-00000")
        store.close()
        ratios.append(own / alone)
        print(f"{count:,} slots of {days} d: SQL alone {alone:.2f} s, audit {own:.2f} s,", end=" ")
        print(f"{peaks[-1]:.1f} MB more (last of the first job: {missed and missed.slot.at})")
    fine = gate("of the SQL alone", statistics.median(ratios[:2]), most=7.0)
    return gate("the memory of one day for two", peaks[2] / peaks[1], most=1.5) and fine


def until_end(walk, until: datetime):
    for at in walk:
        if at >= until:
            return
        yield at


def in_sql_alone(folder: Path, due: list[tuple[str, datetime]]) -> None:
    """Join what is due with the runs, in one statement."""
    db = sqlite3.connect(folder / DATABASE)
    db.execute("PRAGMA query_only = OFF")
    db.execute("CREATE TEMP TABLE due (slot_us INTEGER, job TEXT)")
    db.executemany("INSERT INTO due VALUES (?, ?)", [(us(at), name) for name, at in due])
    db.execute(
        "SELECT due.job, due.slot_us, run.status FROM due LEFT JOIN run"
        " ON run.slot_us = due.slot_us AND run.job = due.job"
    ).fetchall()
    db.close()


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def memory_mb(key: str) -> float:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if key in x)
    return int(line.split()[1]) / 1024


def gate(what: str, ratio: float, *, most: float | None = None, least: float | None = None) -> bool:
    fine = ratio <= most if most is not None else ratio >= (least or 0)
    bound = f"at most {most:g}" if most is not None else f"at least {least:g}"
    print(f"  {ratio:.2f} x {what} ({bound}): {'ok' if fine else 'TOO SLOW'}", flush=True)
    return fine


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="cronverifyd-bench-") as folder:
        one, day = Path(folder) / "one", Path(folder) / "day"
        one.mkdir()
        day.mkdir()
        fine = [at_one_instant(one), a_day(day)]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
