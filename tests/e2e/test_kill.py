"""The daemon is killed while outcomes are written: none is lost, and none counts twice."""

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing, contextmanager

from tests.e2e.conftest import WRAPPER
from tests.e2e.daemon import Daemon
from tests.e2e.slack import HANGS

KILLS = 20
SEED = 20_240_515
DOOMED = 60
CHANGING = 12

# Each line in one write; jobs that fail once and stay so, and jobs that fail and heal in turn.
_WRITER = """
import itertools, json, os, sys, time
path, stop, kind, doomed, changing = *sys.argv[1:4], *map(int, sys.argv[4:])
file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
for n in itertools.count():
    number, job = divmod(n, changing)
    if number >= doomed and os.path.exists(stop):
        break
    line = {"job": f"{kind}-{job}", "error": f"{kind} line {n}"}
    line["status"] = "success" if number // 8 % 2 else "failed"
    if job == 0 and number < doomed:
        line |= {"job": f"{kind}-doomed-{number}", "status": "failed"}
    if kind == "named":
        line |= {"run": f"{kind}-run-{n}", "at": time.time()}
    os.write(file, json.dumps(line).encode() + b"\\n")
    time.sleep(0.02)
"""

_SHELL_WRITER = """
n=0
while [ ! -e "$2" ]; do
  n=$((n + 1))
  printf '{"job":"shell","status":"success","error":"shell line %s"}\\n' "$n" >> "$1"
  sleep 0.1
done
"""

_WRAPPED_WRITER = """
n=0
stop=$1
shift
while [ ! -e "$stop" ]; do
  n=$((n + 1))
  "$@" wrapped -- sh -c "echo wrapped $n; exit $((n % 50 == 0))"
  sleep 0.05
done
exit 0
"""


def test_kills_at_any_moment_lose_no_outcome_double_none_and_keep_no_alert(tmp_path, slack):
    running = Daemon(tmp_path, _configuration(), slack)
    with _writers(running.outcomes, tmp_path / "stop"):
        _kill_again_and_again(running, random.Random(SEED))
    with running:
        assert running.verify()[0] == 200
        running.wait_until_delivered(60)

    lines = _lines(running.outcomes)
    assert len(lines) > 1_000
    assert _runs(running) == _expected_runs(lines)
    _assert_each_incident_was_told(running, slack)


def test_a_message_that_was_being_sent_when_it_was_killed_comes_again_and_says_so(daemon, slack):
    slack.answers = [HANGS, 200]
    running = daemon('[jobs.a]\nschedule = "0 3 * * *"\n')
    running.append(job="a", status="failed")
    slack.wait_for("a failed", within_s=5)
    running.kill()
    running.append(job="a", status="success")
    running.start()
    slack.wait_for("a is well again", within_s=5)
    running.wait_until_delivered(5)

    # The recovery overtakes the failure, of which nobody knows whether it arrived.
    assert slack.titles == ["a failed", "a is well again"]
    assert [message.may_repeat for message in slack.messages] == [False, True]
    assert "not told before: failed: " in slack.messages[1].whole
    assert len({message.incident for message in slack.messages}) == 1


def _configuration():
    names = ["shell", "wrapped"]
    for kind in ("named", "bare"):
        names += [f"{kind}-{n}" for n in range(CHANGING)]
        names += [f"{kind}-doomed-{n}" for n in range(DOOMED)]
    return "".join(f'[jobs.{name}]\nschedule = "0 3 * * *"\n' for name in names)


@contextmanager
def _writers(outcomes, stop):
    """Write until the end of the block; every writer ends its last line."""
    python = [sys.executable, "-c", _WRITER, str(outcomes), str(stop)]
    counts = [str(DOOMED), str(CHANGING)]
    wrapper = [*WRAPPER, "--outcomes", str(outcomes)]
    commands = [
        [*python, "named", *counts],
        [*python, "bare", *counts],
        ["sh", "-c", _SHELL_WRITER, "sh", str(outcomes), str(stop)],
        ["sh", "-c", _WRAPPED_WRITER, "sh", str(stop), *wrapper],
    ]
    writers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    try:
        yield
    finally:
        stop.touch()
        codes = [writer.wait(20) for writer in writers]
    assert codes == [0, 0, 0, 0]


def _kill_again_and_again(running, chance):
    """Kill it as it starts, reads, judges or sends: some time after it was ready, or before."""
    for number in range(KILLS):
        if number % 5 == 4:
            running.spawn()
            time.sleep(chance.uniform(0.2, 0.6))
        else:
            running.start()
            time.sleep(chance.uniform(0.0, 0.2))
        running.kill()


def _lines(outcomes):
    data = outcomes.read_bytes()
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n") if line]


def _expected_runs(lines):
    """Count the runs that a file tells of: one a run id, one a line without."""
    ends = [line for line in lines if line.get("event", "finish") == "finish"]
    begun = {line["run"] for line in lines if line.get("event") == "start"}
    assert begun == {line["run"] for line in ends if line.get("event")}
    return Counter(
        (line["job"], line.get("run", "without"), line["status"], line.get("error"))
        for line in ends
    )


def _runs(running):
    rows = _query(running, "SELECT job, run, status, error FROM runs WHERE ended_at IS NOT NULL")
    return Counter(
        (job, "without" if run.startswith("~") else run, status, error)
        for job, run, status, error in rows
    )


def _assert_each_incident_was_told(running, slack):
    incidents = {
        incident: (job, closed_at)
        for incident, job, closed_at in _query(running, "SELECT id, job, closed_at FROM incidents")
    }
    told, last_word = defaultdict(list), {}
    for message in slack.messages:
        for title, incident in message.parts:
            is_recovery = title.endswith(" is well again")
            told[incident, is_recovery].append(message.may_repeat)
            last_word[incident] = is_recovery

    assert last_word == {each: bool(closed_at) for each, (_, closed_at) in incidents.items()}
    assert {job for job, _ in incidents.values()} >= {
        f"{kind}-doomed-{n}" for kind in ("named", "bare") for n in range(DOOMED)
    }
    assert {key: repeats for key, repeats in told.items() if not all(repeats[1:])} == {}


def _query(running, statement):
    with closing(sqlite3.connect(running.state / "cronverifyd.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return database.execute(statement).fetchall()
