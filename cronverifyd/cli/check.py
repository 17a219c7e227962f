"""`cronverifyd check`: verify now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import (
    config_option,
    console,
    json_option,
    known_job,
    print_json,
    read_config,
)
from cronverifyd.cli.here import ask_daemon, here
from cronverifyd.errors import UnknownJobError

if TYPE_CHECKING:
    from pathlib import Path

    from cronverifyd.config.pieces import Config


@click.command("check")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@config_option
@json_option
def command(jobs: tuple[str, ...], config_path: Path | None, *, as_json: bool) -> int:
    """Verify now: read what is new, judge, alert, and print the jobs that are not well.

    A daemon that runs is asked to do it; without one it is done here, under the same lock.
    Exit code 1 when a job is not well.

    \b
    Examples:
      cronverifyd check
      cronverifyd check invoice-gen --json
    """
    config = read_config(config_path)
    for job in jobs:
        _refuse_unwatched(config, job)
    asked = ask_daemon(config, "/check", {"jobs": list(jobs) or None})
    document = asked or _check_here(config, jobs)
    if as_json:
        print_json({key: document[key] for key in ("checked", "failures", "details")})
    else:
        _print(document)
    return 1 if document["failures"] else 0


def _refuse_unwatched(config: Config, job: str) -> None:
    if not config.jobs[known_job(job, config.jobs)].enabled:
        what = f'job "{job}" is disabled: nobody verifies it'
        raise UnknownJobError(what, remedy=f"enabled = true in [jobs.{job}] of {config.path}")


def _check_here(config: Config, jobs: tuple[str, ...]) -> dict[str, Any]:
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.model import TriggeredBy, Verify
    from cronverifyd.web.answer import answer

    look = Verify(jobs=jobs or None, triggered_by=TriggeredBy.CHECK)
    with here(config) as mine:
        verified = mine.engine.handle(look, read_clock())
        if mine.measure():
            verified = mine.engine.handle(look, read_clock())
    return answer(verified)


def _print(document: dict[str, Any]) -> None:
    from cronverifyd.cli.table import hang

    out = console()
    for detail in document["details"]:
        out.print(f"{detail['job']}: {detail['verdict']}", style="bold red")
        out.print(*hang("  ", words.safe(detail["issue"]), 2, out), sep="\n")
        if detail["error"]:
            out.print(*hang("  ", f"error: {words.safe(detail['error'])}", 2, out), sep="\n")
    out.print(document["result"])
