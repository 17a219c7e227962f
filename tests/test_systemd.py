"""The service manager hears of us through a datagram socket of its own, or not at all."""

import os
import socket

import pytest

from cronverifyd.systemd import Supervisor


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """Give the name as $NOTIFY_SOCKET has it, and a socket that listens there."""
    named = str(tmp_path / "notify") if request.param == "path" else f"@cronverifyd-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{named[1:]}" if named.startswith("@") else named)
        listener.settimeout(5)
        yield named, listener


def test_each_state_is_one_datagram(manager):
    named, listener = manager
    supervisor = Supervisor({"NOTIFY_SOCKET": named})
    supervisor.tell("READY=1\nSTATUS=watching 3 jobs")
    supervisor.tell("WATCHDOG=1")
    assert listener.recv(100) == b"READY=1\nSTATUS=watching 3 jobs"
    assert listener.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}], ids=["not set", "empty"])
def test_without_a_manager_nobody_is_told(environ, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Supervisor(environ).tell("READY=1")
    assert list(tmp_path.iterdir()) == []


def test_a_manager_that_is_gone_is_no_error(tmp_path):
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell("READY=1")
    assert list(tmp_path.iterdir()) == []


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(2_000):
            supervisor.tell("WATCHDOG=1")
        assert listener.recv(100) == b"WATCHDOG=1"
