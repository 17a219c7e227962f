"""The wrapper, as crontab lines will start it."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from cronverifyd.doctor.facts import Wrapper
from cronverifyd.host.rehearsal import find_wrapper

_PYTHON = "/usr/bin/python3"
_CRON_PATH = "/usr/bin:/bin"
"""crontab(5): the PATH of a job, unless its crontab sets another."""

_MOST_BYTES = 1 << 20
_SOURCE = Path(__file__).parents[2] / "wrap.py"
_BEARS = b"SOURCE = rb"


def look(path: Path | None = None) -> Wrapper:
    """Look at the wrapper: the one of a path, else the one that this installation has."""
    path = path or find_wrapper()
    python = os.access(_PYTHON, os.X_OK)
    if path is None:
        return Wrapper(path=None, python=python)
    text = _read(path)
    interpreter = _interpreter(text)
    return Wrapper(
        path=str(path),
        interpreter=interpreter,
        runs=_can_start(interpreter) and os.access(path, os.X_OK),
        in_cron_path=shutil.which(path.name, path=_CRON_PATH) is not None,
        current=_is_current(text),
        python=python,
    )


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _interpreter(text: bytes) -> str | None:
    """Read the first line of a script, as the kernel does (execve(2)); None: there is none."""
    first = text.partition(b"\n")[0]
    return os.fsdecode(first[2:]).strip() or None if first.startswith(b"#!") else None


def _can_start(interpreter: str | None) -> bool:
    words = shlex.split(interpreter or "")
    return bool(words) and os.access(words[0], os.X_OK)


def _is_current(text: bytes) -> bool | None:
    """Say whether the script bears this version's source; None: it bears none."""
    if _SOURCE.read_bytes() in text:
        return True
    return False if _BEARS in text else None
