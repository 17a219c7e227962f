"""Jobs under the real Debian cron: what it starts, the wrapper records, and Slack hears of."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from tests.debian_cron import require_cron
from tests.e2e.conftest import WRAPPER
from tests.e2e.daemon import Daemon, wait_until

pytestmark = pytest.mark.cron

A_MINUTE_AND_SOME_S = 90.0

# Everything that this cron reads or writes is hidden behind mounts that only it sees, so that the
# machine's own crontabs and its own cron are left alone.
_SCRIPT = """
set -e
mount --bind "$FOLDER/spool" /var/spool/cron/crontabs
mount --bind "$FOLDER/empty-folder" /etc/cron.d
mount --bind "$FOLDER/empty" /etc/crontab
mount -t tmpfs tmpfs /run
exec /usr/sbin/cron -f
"""

_JOBS = "".join(
    f'[jobs.{name}]\nschedule = "* * * * *"\nmax_duration = "10s"\ngrace = "5s"\n'
    for name in ("good", "logged", "percent", "failing", "mended", "killed", "hanging", "vanishing")
)


class Cron:
    """A cron of our own. `write` gives it a crontab of root's."""

    def __init__(self, folder):
        self._spool = folder / "spool"
        self._spool.mkdir(parents=True)
        (folder / "empty-folder").mkdir()
        (folder / "empty").touch()
        self._folder = folder
        self._process = None

    def write(self, lines):
        """Put the lines into the crontab; cron reads it again within a minute."""
        new = self._folder / "crontab.new"
        new.touch(mode=0o600)
        new.write_text("\n".join(["SHELL=/bin/sh", 'MAILTO=""', *lines, ""]))
        new.replace(self._spool / "root")

    def __enter__(self):
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _SCRIPT],
            env={"PATH": os.environ["PATH"], "FOLDER": str(self._folder)},
        )
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def folder(tmp_path):
    require_cron("NOTHING WAS VERIFIED UNDER THE REAL CRON")
    return tmp_path


def test_slack_hears_of_each_bad_job_once_and_of_no_good_one(folder, slack):
    _stay_clear_of_the_minutes_turn()
    with Daemon(folder, _JOBS, slack) as daemon:
        lines = _crontab(daemon.outcomes, folder)
        cron = Cron(folder / "cron")
        cron.write(lines.values())
        with cron:
            try:
                _watch(daemon, slack, cron, lines)
            finally:
                _kill_what_hangs(daemon.outcomes)
    ended = [event for event in _events(daemon.outcomes) if event["event"] == "finish"]
    assert {e["signal"] for e in ended if e["job"] == "killed"} == {"SIGSEGV"}
    assert {e["exit_code"] for e in ended if e["job"] == "failing"} == {3}
    assert (folder / "date").read_text().count("-") == 2
    assert (folder / "stdin").read_text() == "first line\nsecond 100% line\n"
    assert (folder / "log").read_text().startswith("out\nerr\n")


def _stay_clear_of_the_minutes_turn():
    """Let the daemon and cron begin in one minute: else a slot is owed that no cron could start."""
    left_s = 60 - time.time() % 60
    if left_s < 5:
        time.sleep(left_s)


def _crontab(outcomes, folder):
    """Give each job's line; percent signs are cron's own: escaped, and as the start of stdin."""

    def line(job, command):
        return f"* * * * * {shlex.join([*WRAPPER, '--outcomes', str(outcomes), job])} {command}"

    date = f"-- sh -c 'date +\\%F > {folder}/date; cat > {folder}/stdin'"
    return {
        "good": line("good", "-- echo fine"),
        "logged": line("logged", f"-c 'echo out; echo err >&2' >> {folder}/log 2>&1"),
        "percent": line("percent", f"{date}%first line%second 100\\% line"),
        "failing": line("failing", "-- sh -c 'echo no space left >&2; exit 3'"),
        "mended": line("mended", "-- false"),
        "killed": line("killed", "-- sh -c 'kill -SEGV $$'"),
        "hanging": line("hanging", "-- sleep 600"),
        "vanishing": line("vanishing", "-- echo still here"),
    }


def _watch(daemon, slack, cron, lines):
    """Let cron work for some minutes, take a line away from it, and see what Slack hears."""
    say = sys.stderr.write
    say("\nwaiting for cron's first minute\n")
    slack.wait_for(
        "failing failed",
        "mended failed",
        "killed failed",
        "hanging is taking too long",
        within_s=A_MINUTE_AND_SOME_S,
    )
    wait_until(lambda: _oks(daemon, "vanishing") >= 1, 5, "the first run of vanishing was not ok")
    say("a line vanishes from the crontab, another is mended\n")
    changed = lines | {"mended": lines["mended"].replace("-- false", "-- true")}
    cron.write(line for job, line in changed.items() if job != "vanishing")
    slack.wait_for(
        "vanishing did not run", "mended is well again", within_s=2 * A_MINUTE_AND_SOME_S
    )
    say("one minute more, in which nothing new may be told\n")
    seen = _oks(daemon, "good")
    wait_until(lambda: _oks(daemon, "good") > seen, A_MINUTE_AND_SOME_S, "good did not run again")
    assert sorted(slack.titles) == [
        "failing failed",
        "hanging began before its last run had ended",
        "hanging is taking too long",
        "killed failed",
        "mended failed",
        "mended is well again",
        "vanishing did not run",
    ]
    for job in ("good", "logged", "percent"):
        strip = _job(daemon, job)["strip"]
        assert len(strip) >= 3, job
        assert set(strip) <= {"ok", "pending"}, job


def _job(daemon, name):
    return next(job for job in daemon.status()["jobs"] if job["job"] == name)


def _oks(daemon, name):
    return _job(daemon, name)["strip"].count("ok")


def _events(outcomes):
    return [json.loads(line) for line in outcomes.read_bytes().split(b"\n") if line]


def _kill_what_hangs(outcomes):
    for event in _events(outcomes):
        if event["job"] == "hanging" and event["event"] == "start":
            with suppress(ProcessLookupError):
                os.kill(event["pid"], signal.SIGKILL)
