"""`cronverifyd mute`: tell nobody for a while."""

from __future__ import annotations

from datetime import datetime
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
from cronverifyd.cli.here import ask_daemon, here, who
from cronverifyd.judge.duration import parse_duration

if TYPE_CHECKING:
    from pathlib import Path

    from cronverifyd.config.pieces import Config
    from cronverifyd.model import Silence, Unsilence


def _seconds(_: click.Context, __: click.Parameter, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("mute")
@click.argument("job", required=False, metavar="[JOB]")
@click.option("--all", "everything", is_flag=True, help="Mute all jobs, and the host's notices.")
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    required=True,
    callback=_seconds,
    help="How long: 90s, 45m, 2h, 7d.",
)
@click.option("--reason", default="", help="Why; it is shown in status.")
@config_option
@json_option
def command(  # noqa: PLR0913 (an argument an option)
    job: str | None,
    for_s: float,
    reason: str,
    config_path: Path | None,
    *,
    everything: bool,
    as_json: bool,
) -> int:
    """Tell nobody of a job for a while. It is judged as ever, and status shows the mute.

    When the mute is over, or ended by unmute, what it swallowed is told: what is not well by
    then as an alert, all else in a line each.

    \b
    Examples:
      cronverifyd mute db-backup --for 2h --reason "new disk"
      cronverifyd mute --all --for 30m
    """
    from cronverifyd.model import Silence

    config, meant = read_config(config_path), whom(job, everything=everything)
    check(config, meant)
    asked = Silence(job=meant, for_s=for_s, who=who(), reason=reason)
    payload = {"job": meant, "for_s": for_s, "who": asked.who, "reason": reason}
    document = ask_daemon(config, "/mute", payload) or do_here(config, asked)
    if as_json:
        print_json(document)
    else:
        _print(document["mute"])
    return 0


def whom(job: str | None, *, everything: bool) -> str | None:
    """Give the job that is meant; None: everything. Raises UsageError where it is neither."""
    if everything == (job is not None):
        raise click.UsageError("name one job, or --all")
    return job


def check(config: Config, job: str | None) -> None:
    """Raise UnknownJobError for a job in no configuration."""
    if job is not None:
        known_job(job, config.jobs)


def do_here(config: Config, asked: Silence | Unsilence) -> dict[str, Any]:
    """Do it in this process, where no daemon runs."""
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.web.answer import silenced

    with here(config) as mine:
        return silenced(mine.engine.handle(asked, read_clock()))


def _print(muted: dict[str, Any]) -> None:
    until = datetime.fromisoformat(muted["until"]).astimezone()
    whom = muted["job"] or "everything"
    end = words.instant(muted["until"], datetime.fromisoformat(muted["since"]).astimezone())
    console().print(f"{whom} is muted until {end} ({until:%Z}); it is judged as ever")
