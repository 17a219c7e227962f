"""Whether crontab lines can start the wrapper."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from cronverifyd.doctor.finding import bad, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.doctor.facts import Wrapper
    from cronverifyd.doctor.finding import Finding

_AGAIN = "pip install --force-reinstall --no-deps cronverifyd"
_PYTHON = "apt-get install python3-minimal || dnf install python3"


def check(found: Wrapper) -> Iterator[Finding]:
    """Say whether the wrapper is there, is this version's, and can be started by any job."""
    if not found.python:
        text = "/usr/bin/python3 cannot be started: under it jobs run without being recorded"
        yield bad("wrapper", text, _PYTHON)
    if found.path is None:
        yield bad("wrapper", "cronverify-wrap is not installed: no job can be recorded", _AGAIN)
        return
    yield from _script(found, found.path)


def _script(found: Wrapper, path: str) -> Iterator[Finding]:
    if not found.runs:
        what = found.interpreter or "nothing"
        text = f"{path} cannot be started: its first line names {what}"
        yield bad("wrapper", text, f"chmod a+rx {quote(path)}; head -n 1 {quote(path)}; {_AGAIN}")
    elif found.current is False:
        yield warning("wrapper", f"{path} is of another version than this program", _AGAIN)
    elif found.in_cron_path:
        yield ok("wrapper", f"{path} is this version's, and crontab lines find it")
    else:
        yield ok("wrapper", f"{path} can be started; crontab lines have to name its folder too")
