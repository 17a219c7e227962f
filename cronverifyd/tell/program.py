"""Give a message to a program of the host, and say what came of it."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cronverifyd.judge.duration import format_duration
from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.tell.text import one_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TIMEOUT_S = 10.0

# sysexits.h: EX_USAGE, EX_CONFIG. POSIX shells: 126 not executable, 127 not found.
_HOPELESS = frozenset({64, 78, 126, 127})
_HOPELESS_TO_START = frozenset({errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC})

# A pipe holds 64 KiB (pipe(7)), so that one read takes all that is in it.
_PIPE_BYTES = 65_536
_KEPT_BYTES = 4_096
_WORDS = 200

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(**more: str) -> dict[str, str]:
    """Give a program's environment: PATH, LANG and what is named here. No secret of ours is in it.

    systemd's own PATH is as good as ours, and an operator may have set another.
    """
    return {
        "PATH": os.environ.get("PATH", _PATH),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **more,
    }


def deliver(
    command: Sequence[str], body: bytes, environ: Mapping[str, str], timeout_s: float = TIMEOUT_S
) -> Delivery:
    """Run a program, without a shell, in a session of its own, with `body` as its input.

    Exit 0: it took the message. 64, 78, 126, 127, or a program that cannot be started: it never
    will. All else (75, a signal, an unknown status, no end within `timeout_s`): later, perhaps, for
    nothing may be lost. What runs on when the time is over is killed, with all that it started.
    """
    name = one_line(Path(command[0]).name, 80)
    try:
        with _input(body) as stdin:
            code, stderr = _run(command, stdin, environ, timeout_s)
    except OSError as error:
        return _not_started(name, error)
    if code == 0:
        return Delivery(result=DeliveryResult.SENT, receipt="exit code 0")
    words = f"{name} {_ending(code, timeout_s)}"
    if last := _last_line(stderr):
        words = f"{words}: {last}"
    result = DeliveryResult.REFUSED if code in _HOPELESS else DeliveryResult.RETRY
    return Delivery(result=result, error=words)


@contextmanager
def _input(body: bytes) -> Iterator[BinaryIO]:
    """Hold the input in memory: a program that does not read keeps nobody, and no disk is used."""
    with os.fdopen(os.memfd_create("message"), "w+b") as file:
        file.write(body)
        file.seek(0)
        yield file


def _run(
    command: Sequence[str], stdin: BinaryIO, environ: Mapping[str, str], timeout_s: float
) -> tuple[int | None, bytes]:
    """Give the exit status (negative: a signal's number; None: the time was over) and the errors.

    Of the errors the end is kept. Raises OSError where the program cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 (the operator's own program, and no shell)
        command,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        env=environ,
        start_new_session=True,
    )
    try:
        ended, stderr = _watch(process, time.monotonic() + timeout_s)
        return (process.wait() if ended else None), stderr
    finally:
        _clear_away(process)


def _watch(process: subprocess.Popen[bytes], until_s: float) -> tuple[bool, bytes]:
    """Read the errors until the process has ended: True, or the time is over: False.

    Its end counts, not that of the pipe, which something in the background may keep open.
    """
    pipe, kept = _pipe(process), b""
    end = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(end, select.POLLIN)
        poll.register(pipe, select.POLLIN)
        while (left_s := until_s - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poll.poll(left_s * 1_000)}
            chunk = _read(pipe)
            kept = (kept + chunk)[-_KEPT_BYTES:]
            if end in ready:
                return True, kept
            if pipe in ready and not chunk:
                poll.unregister(pipe)
        return False, kept
    finally:
        os.close(end)


def _pipe(process: subprocess.Popen[bytes]) -> int:
    assert process.stderr is not None  # noqa: S101 (Popen was asked for a pipe)
    os.set_blocking(process.stderr.fileno(), False)
    return process.stderr.fileno()


def _read(pipe: int) -> bytes:
    """Read what is there; nothing at the end of file, or where nothing has come."""
    with suppress(BlockingIOError):
        return os.read(pipe, _PIPE_BYTES)
    return b""


def _clear_away(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group of a process that has not ended; close its pipe.

    One that runs as another user (sudo) cannot be killed; it is left behind.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
    if process.stderr is not None:
        process.stderr.close()


def _not_started(name: str, error: OSError) -> Delivery:
    hopeless = error.errno in _HOPELESS_TO_START
    result = DeliveryResult.REFUSED if hopeless else DeliveryResult.RETRY
    return Delivery(result=result, error=f"{name} cannot be started: {error.strerror}")


def _ending(code: int | None, timeout_s: float) -> str:
    if code is None:
        return f"did not end within {format_duration(timeout_s)}"
    return f"was killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(stderr: bytes) -> str:
    text = plain(stderr.decode("utf-8", "replace")).strip()
    return one_line(text.rpartition("\n")[2], _WORDS)
