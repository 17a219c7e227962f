"""The command line as a process of its own, with pipes or on a terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import sysconfig
import termios
import time
from pathlib import Path

import cronverifyd
from tests.cli.place import Done
from tests.e2e.daemon import cronverifyd as command_line
from tests.e2e.daemon import environment

WITHIN_S = 30.0
SGR = re.compile(r"\x1b\[([\d;]*)m")
_COLOURS = range(30, 50)


def run(*arguments, python=sys.executable, env=None, timeout_s=WITHIN_S, **given):
    """Run a command with pipes to its end. `given`: as for subprocess.run."""
    done = subprocess.run(
        [python, "-m", "cronverifyd", *map(str, arguments)],
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
        **given,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


class Stranger:
    """A user without rights, and an interpreter that this user can start.

    The tests' own may lie in a home folder; Debian's of the same version serves as well.
    """

    def __init__(self, account):
        self.uid, self.gid = account.pw_uid, account.pw_gid
        paths = [Path(cronverifyd.__file__).parents[1], sysconfig.get_path("purelib")]
        self._env = {"PYTHONPATH": os.pathsep.join(map(str, paths))}
        system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        self._python = next(filter(self._can_start, (sys.executable, system)), None)

    def _can_start(self, python):
        try:
            done = run("--version", **self._with(python))
        except (OSError, AssertionError):
            return False
        return done.code == 0

    def _with(self, python):
        user = {"user": self.uid, "group": self.gid, "extra_groups": ()}
        return {"python": python, "env": self._env, "cwd": "/", **user}

    @property
    def itself(self):
        """What `run` needs to run a command as this user; None: there is no interpreter for it."""
        return self._python and self._with(self._python)

    @property
    def as_root(self):
        """What `run` needs to run a command as root that can become this user."""
        return {"python": self._python, "env": self._env}


class Terminal:
    """A command on a terminal of `columns` by 60; all that it writes is kept as text."""

    def __init__(self, *arguments, columns=80, **env):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        self.process = subprocess.Popen(
            command_line(*arguments),
            env=environment(TERM="xterm-256color", **env),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._written = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def text(self):
        return self._written.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, word):
        self._read_until(lambda: word in self.text)
        assert word in self.text, self.text

    def end(self):
        """Read to the end; give the exit code."""
        self._read_until(lambda: False)
        return self.process.wait(5)

    def _read_until(self, enough):
        deadline = time.monotonic() + WITHIN_S
        while not enough():
            left = deadline - time.monotonic()
            assert left > 0, f"nothing more within {WITHIN_S} s: {self.text}"
            if select.select([self._ours], [], [], left)[0] and not self._read():
                return

    def _read(self):
        try:
            block = os.read(self._ours, 65536)
        except OSError:  # EIO: the last process has closed the terminal
            return False
        self._written += block
        return bool(block)


def show(*arguments, columns=80, **env):
    """Run a command on a terminal to its end; give its exit code and what stands there."""
    with Terminal(*arguments, columns=columns, **env) as terminal:
        code = terminal.end()
        text = terminal.text
    assert "Traceback" not in text, text
    return code, text


def without_style(text):
    return SGR.sub("", text)


def has_colour(text):
    """Say whether a colour is set, as against bold and dim."""
    codes = [int(code or 0) for found in SGR.findall(text) for code in found.split(";")]
    return any(code in _COLOURS or 90 <= code <= 107 for code in codes)
