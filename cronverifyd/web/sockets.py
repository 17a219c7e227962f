"""Sockets to listen on and to connect with, and what is wrong where that fails."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# unix(7): sun_path has 108 bytes, the closing NUL included.
_LONGEST_ADDRESS = 107

_BACKLOG = 128

_REMEDIES = {
    errno.EADDRINUSE: "stop who holds it (ss -ltnp shows it), or set another port in [listen]",
    errno.EACCES: "ports below 1024 are reserved: set a higher one in [listen]",
    errno.EADDRNOTAVAIL: "set an address of this host in [listen], such as 127.0.0.1",
}


def bind_tcp(host: str, port: int) -> socket.socket:
    """Listen on one address of this host; port 0 takes any free one. IPv6 without brackets.

    Raises ConfigError with a remedy where the address cannot be had.
    """
    server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
        server.listen(_BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        server.close()
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        code, words = getattr(error, "errno", None), getattr(error, "strerror", None)
        raise ConfigError(
            f"cannot listen on {address}: {words or error}", remedy=_REMEDIES.get(code or 0)
        ) from error
    return server


def bind_unix(path: Path) -> socket.socket:
    """Listen on a socket file that only its owner (and root) may use.

    A socket file that is already there is taken to be left over: the caller holds the state's lock.
    Raises ConfigError where the file cannot be made.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_left_over(path)
        # Before bind, this sets the mode of the file to come (Linux, unix_bind_bsd): no moment at
        # which others can connect, and no umask to change for all threads.
        os.fchmod(server.fileno(), 0o600)
        with short_address(path) as address:
            server.bind(address)
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        raise ConfigError(f"cannot listen on {path}: {error.strerror or error}") from error
    return server


def connect_unix(path: Path, timeout_s: float) -> socket.socket:
    """Connect to a socket file. Raises OSError; `timeout_s` then holds for each send and read."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout_s)
    try:
        with short_address(path) as address:
            client.connect(address)
    except OSError:
        client.close()
        raise
    return client


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Give an address for the path that fits into `sun_path`: itself, or one by its open folder."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _remove_left_over(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "a file that is no socket stands there")
    path.unlink()
