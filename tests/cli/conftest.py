"""Places, the command line in this process, and a Slack look-alike."""

import os
import pwd
import tempfile
import time
from pathlib import Path

import pytest

from cronverifyd.cli.main import run
from cronverifyd.daemon import clock
from tests.builders import at
from tests.cli.place import Done, Place
from tests.cli.process import Stranger
from tests.e2e.slack import slack_look_alike


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """Take out what would steer the command line, and let the host be in UTC."""
    for name in ("CRONVERIFYD_CONFIG", "SLACK_WEBHOOK_URL", "CREDENTIALS_DIRECTORY", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "NOTIFY_SOCKET", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def place(tmp_path):
    return lambda *jobs, **given: Place(tmp_path, *jobs, **given)


@pytest.fixture
def cli(capsys, monkeypatch):
    """Run a command in this process, at an instant if one is given; its output is a pipe's."""

    def call(*arguments, now=None):
        if now is not None:
            monkeypatch.setattr(clock, "read_clock", lambda: at(now))
        before = os.umask(0o022)  # `check` sets its own
        try:
            code = run([str(argument) for argument in arguments])
        finally:
            os.umask(before)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


@pytest.fixture
def slack():
    with slack_look_alike() as server:
        yield server


@pytest.fixture
def open_folder():
    """Give a folder into which every user can look: those of pytest are only their owner's."""
    with tempfile.TemporaryDirectory(prefix="cronverifyd-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def nobody():
    """Give a user without rights; only root can become it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    stranger = Stranger(pwd.getpwnam("nobody"))
    if stranger.itself is None:
        pytest.skip("nobody can start neither this interpreter nor Debian's of its version")
    return stranger
