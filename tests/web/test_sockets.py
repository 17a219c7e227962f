"""Listening: who may connect, and what is said where it cannot be."""

import os
import socket
import stat
from pathlib import Path

import pytest

from cronverifyd.errors import ConfigError
from cronverifyd.web.sockets import bind_tcp, bind_unix, connect_unix


def test_port_0_takes_a_free_port():
    with bind_tcp("127.0.0.1", 0) as server:
        assert server.getsockname()[1] > 0
        with socket.create_connection(server.getsockname(), timeout=5):
            server.accept()[0].close()


def test_a_port_that_is_taken_is_said_in_one_sentence_with_a_remedy():
    with bind_tcp("127.0.0.1", 0) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            bind_tcp("127.0.0.1", port)
    assert str(caught.value) == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert "ss -ltnp" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_port_can_be_taken_again_at_once():
    with bind_tcp("127.0.0.1", 0) as server:
        address = server.getsockname()
        with socket.create_connection(address, timeout=5) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    bind_tcp(*address).close()


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        pytest.param("192.0.2.1", 0, r"192\.0\.2\.1:0: Cannot assign", id="of another host"),
        pytest.param("127.0.0.1", 70_000, "127.0.0.1:70000: .*0-65535", id="no such port"),
        pytest.param("a" * 64, 1, "cannot listen on aaaa", id="no such name"),
        pytest.param("::1::2", 1, r"cannot listen on \[::1::2\]:1", id="no address"),
    ],
)
def test_an_address_that_cannot_be_had_is_a_configuration_error(host, port, says):
    with pytest.raises(ConfigError, match=says):
        bind_tcp(host, port)


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python knows no IPv6")
def test_ipv6_is_written_without_brackets():
    try:
        with bind_tcp("::1", 0) as server:
            assert server.family == socket.AF_INET6
    except ConfigError as error:
        pytest.skip(f"this host has no IPv6: {error}")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_use_the_socket_file_whatever_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        with bind_unix(tmp_path / "control.sock"):
            mode = (tmp_path / "control.sock").stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_a_socket_file_that_was_left_over_is_replaced(tmp_path):
    path = tmp_path / "control.sock"
    bind_unix(path).close()
    with bind_unix(path) as server, connect_unix(path, 5) as client:
        connection, _ = server.accept()
        with connection:
            client.sendall(b"x")
            assert connection.recv(1) == b"x"


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="a file that is no socket stands there"):
        bind_unix(path)
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_said(tmp_path):
    for name in ("x", "x" * 200):
        with pytest.raises(ConfigError, match="No such file or directory"):
            bind_unix(tmp_path / name / "control.sock")


def descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_no_descriptor_is_left_open(tmp_path):
    folder = tmp_path / ("n" * 200)
    folder.mkdir()
    path = folder / "control.sock"
    before = descriptors()
    with bind_unix(path) as server, connect_unix(path, 5):
        server.accept()[0].close()
    assert descriptors() == before
