"""The real daemon's door: a crowd in front of it, and those who have no key or an old one."""

import http.client
import json
import re
import resource
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from cronverifyd.cue.signature import sign
from tests.e2e.daemon import STARTS_WITHIN_S, Daemon, wait_until

SIGNING_SECRET = "whsec_0123456789abcdef"
CUEAPI = f'[cueapi]\ntransport = "webhook"\nsigning_secrets = ["{SIGNING_SECRET}"]\n'
TEN_JOBS = "".join(f'[jobs.job-{n}]\nschedule = "0 3 * * *"\n\n' for n in range(10))
TESTS = Path(__file__).parents[2]

HEALTHY = 200
ROUNDS = 3  # the best one counts: other programs of the machine are not the crowd
P99_WITHIN_S = 0.1
GROWS_LESS_THAN_KB = 20 * 1024
GONE_WITHIN_S = 30.0


def delivery(execution, *, payload=None, age_s=0, secret=SIGNING_SECRET):
    """Make what CueAPI would send: the body and the headers."""
    body = json.dumps({"execution_id": execution, "payload": payload or {"job": "job-0"}}).encode()
    timestamp = str(int(time.time()) - age_s)
    return body, {
        "Content-Type": "application/json",
        "X-CueAPI-Signature": sign(secret, timestamp, body),
        "X-CueAPI-Timestamp": timestamp,
    }


def knock(port, body, headers):
    """Ask on a connection of its own; give the status and the document."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/verify", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


@pytest.fixture
def running(tmp_path):
    with Daemon(tmp_path, TEN_JOBS, cueapi=CUEAPI) as daemon:
        yield daemon


# ---- a crowd that never comes to an end ---------------------------------------------------------


@contextmanager
def crowd(port, slow, half):
    """Let a crowd come; it is all there at the beginning of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.crowd", str(port), str(slow), str(half)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TESTS,
    )
    try:
        assert process.stdout.readline() == "come\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def tell_to_stop(process):
    """Let the crowd stop sending; give how many of it are connected."""
    process.stdin.write("stop\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def took_s(port, number):
    """Verify one job on a connection of its own; give how long that took."""
    body, headers = delivery(f"healthy-{number}")
    begun = time.monotonic()
    assert knock(port, body, headers)[0] == 200
    return time.monotonic() - begun


def round_p99_s(port, round_number):
    """Verify 200 times; give how long the 198th fastest took."""
    first = round_number * HEALTHY
    took = sorted(took_s(port, first + number) for number in range(HEALTHY))
    return took[HEALTHY * 99 // 100 - 1]


def resident_kb(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1])


def sockets(pid):
    """Count the sockets that a process has open."""
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(each.readlink()).startswith("socket:")
    return count


def test_a_crowd_that_never_comes_to_an_end_starves_nobody(running):
    pid = running.process.pid
    for number in range(50):
        took_s(running.port, -number)
    before_kb, before = resident_kb(pid), sockets(pid)

    with crowd(running.port, slow=1_000, half=100) as process:
        p99_s = min(round_p99_s(running.port, number) for number in range(ROUNDS))
        grown_kb = resident_kb(pid) - before_kb
        still_there = tell_to_stop(process)
        stopped = time.monotonic()
        assert process.stdout.readline() == "alone\n"
        wait_until(lambda: sockets(pid) <= before, 5, "sockets are left open")
        gone_s = time.monotonic() - stopped

    assert p99_s < P99_WITHIN_S
    assert grown_kb < GROWS_LESS_THAN_KB
    assert still_there > 100
    assert gone_s < GONE_WITHIN_S
    assert "Traceback" not in running.log


@contextmanager
def descriptors_up_to(soft):
    """Let this process, and those that it starts in the block, open so many."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def test_a_crowd_cannot_take_the_descriptors_that_files_need(tmp_path):
    running = Daemon(tmp_path, TEN_JOBS, cueapi=CUEAPI)
    with descriptors_up_to(100):
        running.spawn()
    try:
        running.wait_for_notice("READY=1", STARTS_WITHIN_S)
        with crowd(running.port, slow=200, half=20):
            running.append(job="job-0", status="failed")
            status, answer = knock(running.port, *delivery("in-a-crowd"))
            assert (status, answer["failures"]) == (200, 1)
            assert len(list(Path(f"/proc/{running.process.pid}/fd").iterdir())) < 75
        running.stop()
        assert "Too many open files" not in running.log
    finally:
        running._end()


# ---- no key, a false key, an old key ------------------------------------------------------------


def answer_of(port, headers, body, length=None):
    """Send a request with these header lines (bytes); give the answer without its date."""
    lines = [b"POST /verify HTTP/1.1", b"Host: x", b"Connection: close", *headers]
    lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body)
        answer = client.makefile("rb").read()
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer)


BODY = b'{"execution_id": "forged", "payload": {"job": "job-0"}}'
JSON = b"Content-Type: application/json"


def keys(*, age_s=0, secret=SIGNING_SECRET, body=BODY, change=lambda signature: signature):
    timestamp = str(int(time.time()) - age_s)
    signature = change(sign(secret, timestamp, body))
    return [
        b"X-CueAPI-Signature: " + signature.encode("latin-1"),
        b"X-CueAPI-Timestamp: " + timestamp.encode(),
    ]


def timestamped(text):
    return [keys()[0], b"X-CueAPI-Timestamp: " + text]


# Made when the test runs: some of them have a time.
REFUSED = {
    "no key": lambda: ([JSON], BODY),
    "no media type either": lambda: ([], BODY),
    "no body": lambda: ([], b""),
    "forged": lambda: ([JSON, *keys(change=lambda _: "v1=" + "0" * 64)], BODY),
    "of another body": lambda: ([JSON, *keys(body=b"{}")], BODY),
    "a wrong secret": lambda: ([JSON, *keys(secret="whsec_other")], BODY),
    "an empty secret": lambda: ([JSON, *keys(secret="")], BODY),
    "stale": lambda: ([JSON, *keys(age_s=302)], BODY),
    "from the future": lambda: ([JSON, *keys(age_s=-302)], BODY),
    "a signature cut short": lambda: ([JSON, *keys(change=lambda s: s[:-1])], BODY),
    "a signature without its version": lambda: ([JSON, *keys(change=lambda s: s[3:])], BODY),
    "a signature in capitals": lambda: ([JSON, *keys(change=str.upper)], BODY),
    "an empty signature": lambda: ([JSON, *keys(change=lambda _: "")], BODY),
    "a signature that is not ASCII": lambda: ([JSON, *keys(change=lambda s: s + "é")], BODY),
    "a signature of 8 KiB": lambda: ([JSON, *keys(change=lambda s: s * 122)], BODY),
    "a body cut short": lambda: ([JSON, *keys()], BODY[:-1]),
    "a body with more": lambda: ([JSON, *keys()], BODY + b" "),
    "a body that is not UTF-8": lambda: ([JSON, *keys()], b"\xff" + BODY),
    "a large body": lambda: ([JSON, *keys()], BODY.ljust(65_536)),
    "the signature twice": lambda: ([JSON, *keys(), keys()[0]], BODY),
    "the timestamp twice": lambda: ([JSON, *keys(), keys()[1]], BODY),
    "both twice": lambda: ([JSON, *keys(), *keys()], BODY),
    "a good signature after a bad one": lambda: (
        [JSON, keys(secret="x")[0], *keys()],
        BODY,
    ),
    "a signature without a timestamp": lambda: ([JSON, keys()[0]], BODY),
    "a timestamp without a signature": lambda: ([JSON, keys()[1]], BODY),
    "a timestamp that is not ASCII": lambda: (
        [JSON, *timestamped("\N{ARABIC-INDIC DIGIT FIVE}".encode())],
        BODY,
    ),
    "a timestamp that is none": lambda: ([JSON, *timestamped(b"now")], BODY),
    "a timestamp with a fraction": lambda: ([JSON, *timestamped(b"%.1f" % time.time())], BODY),
    "a negative timestamp": lambda: ([JSON, *timestamped(b"-1")], BODY),
    "a timestamp of 5,000 digits": lambda: ([JSON, *timestamped(b"9" * 5_000)], BODY),
    "names with underscores": lambda: (
        [JSON, *(line.replace(b"-", b"_", 2) for line in keys())],
        BODY,
    ),
    "the signing secret, shown": lambda: (
        [JSON, b"X-Cue-Secret: " + SIGNING_SECRET.encode()],
        BODY,
    ),
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A daemon that nobody with a good key asks, before all have been turned away."""
    with Daemon(tmp_path_factory.mktemp("locked"), TEN_JOBS, cueapi=CUEAPI) as running:
        yield running


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_whoever_has_no_good_key_hears_the_same_to_the_byte(locked, make):
    headers, body = make()
    given = json.dumps({"success": False, "error": "no valid signature and no valid secret"}) + "\n"
    assert (
        answer_of(locked.port, headers, body)
        == (
            "HTTP/1.1 401 UNAUTHORIZED\r\nConnection: close\r\n"
            f"Content-Length: {len(given)}\r\nContent-Type: application/json\r\n\r\n{given}"
        ).encode()
    )


def test_nothing_was_evaluated_for_any_of_them(locked):
    """What they asked for is evaluated when somebody with a good key asks, and not before."""
    assert executions(locked) == []
    locked.append(job="job-0", status="failed")
    status, answer = answer_to(locked, [JSON, *keys()], BODY)
    assert (status, answer["failures"]) == (200, 1)
    assert executions(locked) == ["forged"]


def executions(running):
    """List the ids of the executions that were answered, as the journal has them."""
    journal = running.state / "journal.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [note["id"] for note in map(json.loads, lines) if note.get("kind") == "execution"]


def answer_to(running, headers, body):
    head, _, answer = answer_of(running.port, headers, body).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(answer)


# ---- the same key, again and again --------------------------------------------------------------


def flood(port, deliveries):
    """Send them all through eight connections; give the answers, each once."""

    def send(some):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            for body, headers in some:
                connection.request("POST", "/verify", body, headers)
                response = connection.getresponse()
                yield response.status, response.read()

    parts = [deliveries[place::8] for place in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda part: list(send(part)), parts)
        return {answer for part in answers for answer in part}


@pytest.mark.parametrize(
    "deliveries",
    [
        pytest.param(lambda: [delivery("again")] * 1_000, id="one execution"),
        pytest.param(lambda: [delivery(f"again-{n}") for n in range(500)], id="one each"),
    ],
)
def test_a_flood_of_deliveries_with_good_keys_says_nothing_new(daemon, slack, deliveries):
    running = daemon(TEN_JOBS, cueapi=CUEAPI)
    running.append(job="job-0", status="failed", error="disk full")
    slack.wait_for("job-0 failed", within_s=5)
    running.wait_until_delivered(within_s=5)
    before = running.status()["jobs"]

    ((status, answer),) = flood(running.port, deliveries())

    assert (status, json.loads(answer)["failures"]) == (200, 1)
    assert running.status()["jobs"] == before
    assert before[0]["last_ok"] is None
    assert slack.titles == ["job-0 failed"]


def test_a_flood_of_replays_hears_the_first_answer_whatever_has_happened_since(running):
    running.append(job="job-0", status="failed")
    first = knock(running.port, *delivery("once"))
    running.append(job="job-0", status="success")
    assert knock(running.port, *delivery("later"))[1]["failures"] == 0

    ((status, answer),) = flood(running.port, [delivery("once")] * 500)

    assert (status, json.loads(answer)) == first
    assert first[1]["failures"] == 1
    assert executions(running) == ["once", "later"]
