"""How long it takes from a failure to the message at Slack, with the real daemon, on loopback.

Four things are measured: from the append of a failing line to the arrival of the POST; the same for
a bare append and post in between (the floor); how late a job that did not start is told after its
deadline; and the wall time of `POST /verify` for ten jobs.

usage: latency.py [--lines N] [--json] [--gate]
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

GATES_MS = {"append_p50": 20.0, "append_p99": 100.0, "missed_max": 2_000.0, "verify_max": 1_000.0}
EVERY_S = 0.05
MISSED = ("missed-a", "missed-b", "missed-c")
ROUNDS = 3
TEN = tuple(f"ten-{number}" for number in range(10))
VERIFICATIONS = 20
SECRET = "a secret of the bench"

_HEAD = """\
[daemon]
timezone = "UTC"
instance = "bench"

[listen]
trigger = "127.0.0.1:{port}"
status = "off"

[cueapi]
shared_secret = {{ env = "BENCH_SECRET" }}

[channels.slack]
kind = "slack"
url = {{ env = "BENCH_SLACK" }}
"""
_DAILY = '\n[jobs.{}]\nschedule = "{}"\n'
_EVERY_5_S = '\n[jobs.{}]\nschedule = "every 5s"\nmax_duration = "1s"\ngrace = "500ms"\n'


# ---- the far end --------------------------------------------------------------------------------


class Receiver(ThreadingHTTPServer):
    """Takes what Slack takes. `arrived`: of each message its text, and when all of it was here."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived = []
        self.sample = {}
        self._changed = threading.Condition()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/services/T0/B0/bench"

    def take(self, body, at):
        with self._changed:
            self.sample = json.loads(body)
            text = self.sample["text"].partition(" ")[2]  # without the coloured sign
            self.arrived.append((text, at))
            self._changed.notify_all()

    def of(self, jobs):
        """Give when the first message about each of these jobs arrived."""
        first = {}
        for text, at in self.arrived:
            first.setdefault(text.partition(" ")[0], at)
        return {job: first[job] for job in jobs if job in first}

    def wait_for(self, jobs, within_s):
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.of(jobs)) == len(jobs), within_s):
                missing = len(jobs) - len(self.of(jobs))
                raise SystemExit(
                    f"after {within_s} s {missing} of {len(jobs)} messages are missing"
                )
        return self.of(jobs)


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        at = time.time()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.server.take(body, at)

    def log_message(self, *_):
        """Keep quiet."""


@contextlib.contextmanager
def receiving():
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


# ---- the daemon ---------------------------------------------------------------------------------


@contextlib.contextmanager
def daemon(folder, receiver, port, jobs):
    """Run the daemon until the end of the block; it starts when it has said that it is ready."""
    config = folder / "config.toml"
    (folder / "state").mkdir(parents=True)
    config.write_text(_HEAD.format(port=port) + jobs)
    log = folder / "log"
    env = {**os.environ, "BENCH_SECRET": SECRET, "BENCH_SLACK": receiver.url}
    command = [sys.executable, "-m", "cronverifyd", "run", "--config", str(config)]
    with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr, env=env) as process:
        try:
            wait_until_ready(process, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def wait_until_ready(process, log):
    deadline = time.monotonic() + 20
    while "ready" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the daemon did not start:\n{log.read_text()}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def failing(job):
    now = datetime.now(UTC).isoformat()
    event = {"job": job, "event": "finish", "status": "failed", "exit_code": 3, "at": now}
    event |= {"error": "no space left on device", "output_tail": "writing\nno space left\n" * 8}
    return json.dumps(event).encode() + b"\n"


# ---- what is measured ---------------------------------------------------------------------------


def append_to_post(folder, jobs, receiver):
    """Append a failing line of each job; give the milliseconds to the arrival of each message.

    Between every two of them a bare loop does the least that there is to do, in one process: it
    appends such a line to a file of its own, and posts a message of that size. These are the floor.
    """
    appended, floor = {}, []
    outcomes, other = folder / "state" / "outcomes.jsonl", folder / "floor.jsonl"
    with outcomes.open("ab", buffering=0) as file, other.open("ab", buffering=0) as bare:
        for job in paced(jobs):
            line = failing(job)
            appended[job] = time.time()
            file.write(line)
            receiver.wait_for(jobs[:1], 30)
            sleep_until(appended[job] + EVERY_S / 2)
            floor.append(bare_append_and_post(bare, f"floor-{job}", receiver))
    arrived = receiver.wait_for(jobs, 30)
    return [1e3 * (arrived[job] - appended[job]) for job in jobs], floor


def bare_append_and_post(file, name, receiver):
    line, body = failing(name), {**receiver.sample, "text": f"- {name} failed"}
    begun = time.time()
    file.write(line)
    requests.post(receiver.url, json=body, timeout=5).close()
    return 1e3 * (receiver.wait_for([name], 5)[name] - begun)


def paced(jobs):
    """Give one job every 50 ms, whatever was done in between."""
    begun = time.time()
    for number, job in enumerate(jobs):
        sleep_until(begun + number * EVERY_S)
        yield job


def sleep_until(instant):
    time.sleep(max(0.0, instant - time.time()))


def missed_lateness(folder, receiver):
    """Give how many milliseconds after its deadline each job that did not start was told.

    A job has one incident: each of the slots is measured with a daemon and a state of its own.
    """
    late = []
    for number in range(ROUNDS):
        here = folder / f"missed-{number}"
        jobs = [f"{name}-{number}" for name in MISSED]
        text = "".join(_EVERY_5_S.format(job) for job in jobs)
        with daemon(here, receiver, free_port(), text):
            for job, at in receiver.wait_for(jobs, 20).items():
                late.append(1e3 * (at - first_deadline(here, job)))
    return late


def first_deadline(folder, job):
    """Ask for the deadline of the job's first slot, in epoch seconds."""
    command = [sys.executable, "-m", "cronverifyd", "history", job, "--json"]
    done = subprocess.run(
        [*command, "--config", str(folder / "config.toml")],
        env={**os.environ, "BENCH_SECRET": SECRET, "BENCH_SLACK": "http://127.0.0.1:1/"},
        stdout=subprocess.PIPE,
        check=True,
    )
    slot = json.loads(done.stdout)["slots"][-1]
    return datetime.fromisoformat(slot["deadline"]).timestamp()


def verify_wall_time(port):
    """Ask for all jobs, again and again; give the milliseconds of each answer."""
    spent = []
    for _ in range(VERIFICATIONS):
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/verify", headers={"X-Cue-Secret": SECRET})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        spent.append(1e3 * (time.perf_counter() - begun))
        if answer["checked"] != len(TEN) or answer["failures"] != len(TEN) // 2:
            raise SystemExit(f"the daemon answered: {answer}")
    return spent


# ---- the report ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """What was measured, in milliseconds."""

    name: str
    values: list

    def __getitem__(self, percent):
        return statistics.quantiles(self.values, n=100, method="inclusive")[percent - 1]

    @property
    def document(self):
        return {
            "count": len(self.values),
            "p50": round(self[50], 3),
            "p90": round(self[90], 3),
            "p99": round(self[99], 3),
            "max": round(max(self.values), 3),
        }


def measure(lines):
    with tempfile.TemporaryDirectory(prefix="cronverifyd-bench-") as name, receiving() as receiver:
        folder = Path(name)
        jobs = [f"job-{number:03}" for number in range(lines)]
        far = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"  # no deadline comes in between
        first, second = folder / "append", folder / "verify"
        with daemon(first, receiver, free_port(), "".join(_DAILY.format(j, far) for j in jobs)):
            appended, floor = append_to_post(first, jobs, receiver)
        port = free_port()
        with daemon(second, receiver, port, "".join(_DAILY.format(j, far) for j in TEN)):
            with (second / "state" / "outcomes.jsonl").open("ab") as file:
                file.write(b"".join(map(failing, TEN[::2])))
            verified = verify_wall_time(port)
        missed = missed_lateness(folder, receiver)
    return [
        Figures("append", appended),
        Figures("floor", floor),
        Figures("missed", missed),
        Figures("verify", verified),
    ]


def report(figures):
    documents = {each.name: each.document for each in figures}
    append, floor = documents["append"], documents["floor"]
    ratio = {key: round(append[key] / floor[key], 2) for key in ("p50", "p90", "p99", "max")}
    failed = [
        f"{gate}: {documents[name][figure]:.1f} ms is not under {limit:g} ms"
        for gate, limit in GATES_MS.items()
        for name, figure in [gate.split("_")]
        if documents[name][figure] >= limit
    ]
    return {"unit": "ms", **documents, "ratio": ratio, "failed": failed}


_TITLES = {
    "append": "append of a failing line → POST arrives",
    "floor": "  the floor: a bare append and post",
    "missed": "deadline of a missed job → POST arrives",
    "verify": "POST /verify of ten jobs, wall time",
}


def print_table(document):
    print(f"{'milliseconds':44}{'n':>5}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}")
    for name, title in _TITLES.items():
        row = document[name]
        figures = "".join(f"{row[key]:9.2f}" for key in ("p50", "p90", "p99", "max"))
        print(f"{title:44}{row['count']:5}{figures}")
        if name == "floor":
            ratios = "".join(f"{document['ratio'][k]:9.2f}" for k in ("p50", "p90", "p99", "max"))
            print(f"{'  append ÷ floor':44}{'':5}{ratios}")
    for sentence in document["failed"]:
        print(f"missed gate: {sentence}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=200, help="failing lines (default: 200)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--gate", action="store_true", help="exit with 1 if a gate is missed")
    given = parser.parse_args()
    document = report(measure(given.lines))
    if given.json:
        print(json.dumps(document, indent=2))
    else:
        print_table(document)
    return 1 if given.gate and document["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
