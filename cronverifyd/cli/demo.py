"""`cronverifyd demo`: all of it, for real, in a temporary folder and under a minute."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cronverifyd.cli.caller import Caller
from cronverifyd.cli.lookalike import SlackLookAlike
from cronverifyd.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERIOD_S = 5
_GIVE_UP_AFTER_S = 50.0
_REPAIRED_AFTER_S = 3 * _PERIOD_S

_CONFIG = """\
[daemon]
timezone = "UTC"
instance = "demo"

[listen]
trigger = "127.0.0.1:{port}"
status = "127.0.0.1:{page}"

[cueapi]
transport = "webhook"
signing_secrets = [{{ env = "DEMO_SIGNING_SECRET" }}]

[alerts]
gather = "0s"

[channels.slack]
kind = "slack"
url = {{ env = "DEMO_SLACK_URL" }}

[jobs.good]
schedule = "every {period}s"
max_duration = "3s"
grace = "1s"

[jobs.failing]
schedule = "every {period}s"
max_duration = "3s"
grace = "1s"

[jobs.never-started]
schedule = "every {period}s"
max_duration = "2s"
grace = "1s"

[jobs.too-slow]
schedule = "every {period}s"
max_duration = "2s"
grace = "1s"

[jobs.empty-report]
schedule = "every {period}s"
max_duration = "3s"
grace = "1s"

[[jobs.empty-report.artifact]]
path = "report-*.csv"
"""

_WINDOWS_S = {
    "good": 4.0,
    "failing": 4.0,
    "never-started": 3.0,
    "too-slow": 3.0,
    "empty-report": 4.0,
}
_STORIES = """\
Five jobs, each due every {period} s. A Slack, and a CueAPI that asks after each job when it should
be done, are only here on the loopback:

  good           runs and ends well: nobody hears of it
  failing        prints an error and exits with 3; after {repaired} s somebody repairs it
  never-started  stands in the configuration, but no cron starts it
  too-slow       is still running when its window of 3 s is over
  empty-report   ends well, but the report that it wrote is empty
"""

_EXPECTED = (
    "failing failed",
    "never-started did not run",
    "too-slow is taking too long",
    "empty-report ended, but what it made is not right",
    "failing is well again",
)


@click.command("demo")
def command() -> int:
    """Show the whole chain for real: wrapper, outcome file, daemon, verdicts, Slack.

    It takes about half a minute, needs no configuration, and leaves nothing behind.

    \b
    Example:
      cronverifyd demo
    """
    click.echo(_STORIES.format(period=_PERIOD_S, repaired=_REPAIRED_AFTER_S))
    with tempfile.TemporaryDirectory(prefix="cronverifyd-demo-") as folder:
        return _Demo(Path(folder)).play()


class _Demo:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = folder / "config.toml"
        self._outcomes = folder / "state" / "outcomes.jsonl"
        self._started = time.monotonic()
        self._slack = SlackLookAlike(self._print_message)
        self._secret = f"whsec_{secrets.token_hex(32)}"
        self._caller = Caller(_PERIOD_S, _WINDOWS_S, self._print_answer)

    def play(self) -> int:
        port, page = _free_port(), _free_port()
        self._config.write_text(_CONFIG.format(port=port, page=page, period=_PERIOD_S))
        verify = f"http://127.0.0.1:{port}/verify"
        with (
            self._slack.serving() as url,
            self._daemon(url),
            self._cron(),
            self._caller.calling(verify, self._secret),
        ):
            self._say(f"while this lasts, the page is at http://127.0.0.1:{page}/\n")
            heard_all = self._slack.wait_for(self._heard_all, _GIVE_UP_AFTER_S)
            self._say("the daemon, asked with `cronverifyd status`:\n")
            subprocess.run(
                [sys.executable, "-m", "cronverifyd", "status", "--config", str(self._config)],
                check=False,
            )
        if not heard_all:
            raise UnavailableError(f"Slack did not hear all stories in {_GIVE_UP_AFTER_S:g} s")
        click.echo(
            "\nSlack heard of each job that was not well, once, and nothing of the good one."
        )
        return 0

    def _heard_all(self, messages: list[str]) -> bool:
        """Say whether each bad story was told, and the repair of the failing job too."""
        told = [text.partition(" ")[2] for text in messages]  # without the coloured sign
        if wrong := [text for text in told if text.startswith("good ")]:
            raise UnavailableError(f"Slack was told of the good job: {wrong[0]}")
        return all(any(text.startswith(story) for text in told) for story in _EXPECTED)

    def _say(self, text: str) -> None:
        elapsed = time.monotonic() - self._started
        click.echo(click.style(f"[{elapsed:4.1f} s] ", dim=True) + text)

    def _print_answer(self, job: str, answer: str) -> None:
        self._say(click.style("CueAPI asked after ", fg="magenta") + f"{job}: {answer}\n")

    def _print_message(self, text: str) -> None:
        first, *rest = text.splitlines()
        self._say(click.style("Slack received: ", fg="cyan") + click.style(first, bold=True))
        for line in rest:
            click.echo(f"         {line}")
        click.echo()

    @contextlib.contextmanager
    def _daemon(self, slack_url: str) -> Iterator[None]:
        self._say("starting the daemon\n")
        command = [sys.executable, "-m", "cronverifyd", "run", "--config", str(self._config)]
        log = (self._folder / "daemon.log").open("wb")
        with (
            log,
            subprocess.Popen(
                command,
                stderr=log,
                env={
                    **os.environ,
                    "DEMO_SLACK_URL": slack_url,
                    "DEMO_SIGNING_SECRET": self._secret,
                },
            ) as process,
        ):
            try:
                self._wait_until_ready(process)
                yield
            finally:
                process.send_signal(signal.SIGTERM)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        path = self._folder / "daemon.log"
        for _ in range(200):
            if "ready" in path.read_text():
                return
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise UnavailableError(f"the daemon did not start:\n{path.read_text()}")

    @contextlib.contextmanager
    def _cron(self) -> Iterator[None]:
        """Start jobs at every multiple of the period, as cron does at every minute."""
        over = threading.Event()
        started: list[subprocess.Popen[bytes]] = []
        thread = threading.Thread(target=self._start_jobs, args=(over, started), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            for process in started:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _start_jobs(self, over: threading.Event, started: list[subprocess.Popen[bytes]]) -> None:
        first = True
        while not over.wait(_until_next_slot()):
            repaired = time.monotonic() - self._started > _REPAIRED_AFTER_S
            started.append(self._start("good", "echo 42 invoices sent"))
            report = self._folder / "report-today.csv"
            started.append(self._start("empty-report", f"grep refund orders.csv > {report}; true"))
            fails = "echo 'ERROR: no space left on /var/spool/invoices' >&2; exit 3"
            started.append(self._start("failing", "echo repaired" if repaired else fails))
            if first:
                started.append(self._start("too-slow", "echo waiting for a lock; sleep 300"))
            first = False

    def _start(self, job: str, line: str) -> subprocess.Popen[bytes]:
        """Run a line of the demo's crontab: the wrapper around a shell."""
        import cronverifyd.wrap

        system = "/usr/bin/python3"
        python = system if Path(system).exists() else sys.executable
        wrapper = [python, "-I", "-S", cronverifyd.wrap.__file__]
        return subprocess.Popen(
            [*wrapper, "--outcomes", str(self._outcomes), job, "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _until_next_slot() -> float:
    from cronverifyd.daemon.clock import read_clock

    return _PERIOD_S - read_clock().timestamp() % _PERIOD_S


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
