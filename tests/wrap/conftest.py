"""The wrapper as a process, beside the same command without it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

WRAP = Path(__file__).parents[2] / "cronverifyd" / "wrap.py"
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that the installed script names
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}  # and no more, as a crontab might have it
NOBODY = 65534


def until(condition, within_s=10.0):
    """Return the first true value of `condition()`; fail if there is none in time."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.005)
    return value


def stat_of(pid):
    """Return the fields of /proc/PID/stat after the program's name; None if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_running(pid):
    """Tell whether a process is there, and not only waiting to be reaped."""
    stat = stat_of(pid)
    return bool(stat) and stat[0] not in "ZX"


def peak_kb(pid):
    """Return the most memory that a process ever held, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1])


class Wrapper:
    """The wrapper with an outcome file of its own."""

    def __init__(self, program, outcomes):
        self.program = program
        self.outcomes = outcomes

    def argv(self, *command, options=(), job="job"):
        return [*self.program, "--outcomes", str(self.outcomes), *options, job, "--", *command]

    def run(self, *command, options=(), **how):
        return run(self.argv(*command, options=options), **how)

    def start(self, *command, options=(), **how):
        """Start it; whoever starts a job sees to its end."""
        how = {"env": ENVIRONMENT, "stdout": subprocess.PIPE} | how
        return subprocess.Popen(self.argv(*command, options=options), **how)

    def sh(self, script, *, options=(), **how):
        """Run a script of sh, in which the word W stands for the wrapper before a command."""
        words = shlex.join(self.argv(options=options))
        return run(["/bin/sh", "-c", re.sub(r"\bW\b", lambda _: words, script)], **how)

    def lines(self, *, crowd=False):
        """Return what the outcome file holds; every line of it has to be whole JSON.

        `crowd`: some may be empty, for who looks at the file's end while another one writes may see
        half a line, and begins a new one.
        """
        data = self.outcomes.read_bytes() if self.outcomes.exists() else b""
        if not data:
            return []
        *lines, rest = data.split(b"\n")
        assert rest == b"", "the file does not end in a newline"
        return [json.loads(line) for line in lines if line or not crowd]

    def pair(self):
        """Return the start and the finish line of the only run."""
        start, finish = self.lines()
        assert (start["event"], finish["event"]) == ("start", "finish")
        assert start["run"] == finish["run"]
        return start, finish

    def finish(self):
        return self.pair()[1]

    def started(self):
        """Wait for the start line, and return it."""
        return until(self.lines)[0]


def run(argv, **how):
    """Run to the end, with both streams captured."""
    how = {"env": ENVIRONMENT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return subprocess.run(argv, timeout=how.pop("timeout", 30), check=False, **how)


def bare(*command, **how):
    return run(list(command), **how)


def bare_sh(script, **how):
    """Run a script of sh, in which the word W stands for nothing."""
    return run(["/bin/sh", "-c", re.sub(r"\bW\b", "", script)], **how)


@pytest.fixture(scope="session")
def python():
    """Return the interpreter that an installed wrapper would run by."""
    check = [SYSTEM_PYTHON, "-I", "-S", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    try:
        usable = subprocess.run(check, check=False).returncode == 0
    except OSError:
        usable = False
    return SYSTEM_PYTHON if usable else sys.executable


@pytest.fixture(scope="session")
def program(python):
    return [python, "-I", "-S", str(WRAP)]


@pytest.fixture
def wrapper(program, tmp_path):
    """Return a wrapper whose outcome file is there and empty, as after installation."""
    outcomes = tmp_path / "outcomes.jsonl"
    outcomes.touch()
    return Wrapper(program, outcomes)


@pytest.fixture
def open_folder():
    """Return a folder to which every user finds the way, unlike to tmp_path."""
    folder = Path(tempfile.mkdtemp(prefix="cronverify-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def root():
    """Skip where the test needs what only root may."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: needs root")


@pytest.fixture
def private_mounts(root):
    """Return the words that give a command mounts of its own; skip where that is forbidden."""
    words = ["unshare", "--mount"]
    if not shutil.which("unshare") or run([*words, "true"]).returncode:
        pytest.skip("NOT TESTED: unshare --mount is not possible here")
    return words
