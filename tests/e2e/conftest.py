"""A Slack look-alike and the real daemon, for whoever asks."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.slack import slack_look_alike

WRAPPER = ["/usr/bin/python3", "-I", "-S", str(Path(__file__).parents[2] / "cronverifyd/wrap.py")]


@pytest.fixture
def slack():
    with slack_look_alike() as server:
        yield server


@pytest.fixture
def daemon(tmp_path, slack):
    """Start a daemon on a text of jobs; at the end it has to stop well and soon."""
    with ExitStack() as running:
        yield lambda jobs, **given: running.enter_context(Daemon(tmp_path, jobs, slack, **given))


@pytest.fixture
def wrapped():
    """Start a command through the real wrapper; whatever is left of it is killed at the end."""
    with ExitStack() as running:

        def start(daemon, job, *command):
            process = subprocess.Popen(
                [*WRAPPER, "--outcomes", str(daemon.outcomes), job, "--", *command],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            running.callback(process.wait)
            running.callback(_kill_group, process)
            return process

        yield start


def _kill_group(process):
    subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)


@pytest.fixture
def powerless():
    """Give what to put before a command so that file modes bind it, whoever we are.

    Root keeps its files, but not the right to pass over their modes. To become nobody would not do:
    nobody may not even start an interpreter that lives below /root.
    """
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
