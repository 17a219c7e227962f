"""Run the real wrapper around a job that does what it is told to, for drills and canaries."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.model import DRILL, Rehearsed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cronverifyd.model import Rehearsal

_WRAPPER = "cronverify-wrap"
_WITHIN_S = 20.0


def rehearse(rehearsal: Rehearsal, outcomes: Iterable[str]) -> Rehearsed:
    """Run the wrapper; say what went wrong, if anything. `outcomes`: files and globs."""
    wrapper, file = find_wrapper(), writable_file(outcomes)
    if wrapper is None:
        return Rehearsed(run=rehearsal.run, fault=f"{_WRAPPER} is not installed")
    if file is None:
        return Rehearsed(run=rehearsal.run, fault="this user may write no outcome file")
    status = 1 if rehearsal.fails else 0
    script = f"echo {rehearsal.run}; exit {status}"
    try:
        done = subprocess.run(  # noqa: S603 (our own wrapper, and a script of ours)
            [str(wrapper), "--outcomes", str(file), DRILL, "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Rehearsed(run=rehearsal.run, fault=f"{wrapper}: {type(error).__name__}: {error}")
    said = done.stderr.decode("utf-8", "replace").strip()
    if said or done.returncode != status:
        fault = f"{wrapper} ended with {done.returncode}: {said or 'it said nothing'}"
        return Rehearsed(run=rehearsal.run, fault=fault)
    return Rehearsed(run=rehearsal.run, file=str(file))


def find_wrapper() -> Path | None:
    """Find the wrapper that crontab lines use: beside this interpreter, else on the path."""
    beside = Path(sys.executable).with_name(_WRAPPER)
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(_WRAPPER)
    return Path(found) if found else None


def writable_file(outcomes: Iterable[str]) -> Path | None:
    """Choose an outcome file to which this user may append: one that is there, else one to make."""
    makable: Path | None = None
    for pattern in outcomes:
        for name in sorted(glob.glob(pattern)):  # noqa: PTH207 (an absolute pattern)
            if Path(name).is_file() and os.access(name, os.W_OK):
                return Path(name)
        plain = Path(pattern)
        if not glob.has_magic(pattern) and not plain.exists() and os.access(plain.parent, os.W_OK):
            makable = makable or plain
    return makable
