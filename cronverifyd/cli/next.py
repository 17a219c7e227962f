"""`cronverifyd next`: the slots to come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

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
from cronverifyd.errors import ScheduleError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from cronverifyd.config.pieces import Config

_YEARS = range(1970, 9_990)
"""Further away, a deadline may lie where no calendar goes."""


@click.command("next")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("-n", "count", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option(
    "--from",
    "begin",
    metavar="INSTANT",
    help="What comes after it: RFC 3339; without an offset, in the configuration's time zone,"
    " or in --timezone [default: now].",
)
@click.option(
    "--schedule", metavar="EXPR", help="When this would run; needs no configuration and no job."
)
@click.option(
    "--timezone", metavar="TZ", help="The time zone of --schedule [default: this host's]."
)
@config_option
@json_option
def command(  # noqa: PLR0913 - click hands over one argument an option
    *,
    jobs: tuple[str, ...],
    count: int,
    begin: str | None,
    schedule: str | None,
    timezone: str | None,
    config_path: Path | None,
    as_json: bool,
) -> int:
    """Show the coming slots over all jobs, or over those named, with their deadlines.

    With --schedule: when a schedule would run, as this host's cron would start it, nights on which
    clocks change included.

    \b
    Examples:
      cronverifyd next
      cronverifyd next -n 5 db-backup
      cronverifyd next --schedule '30 2 * * *' --timezone Europe/Berlin --from 2026-03-28
    """
    if schedule is not None:
        if jobs:
            raise click.UsageError("--schedule is for a schedule that is no job's: name no job")
        document = _of_schedule(schedule, timezone or _host_zone(), begin, count)
    elif timezone is not None:
        raise click.UsageError("--timezone belongs to --schedule: each job has its own")
    else:
        document = _of_jobs(read_config(config_path), jobs, begin, count)
    if as_json:
        print_json(document)
    else:
        _print(document, console())
    return 0


def _of_jobs(
    config: Config, names: tuple[str, ...], begin: str | None, count: int
) -> dict[str, Any]:
    from cronverifyd.report.upcoming import upcoming

    jobs = [config.jobs[known_job(name, config.jobs)] for name in dict.fromkeys(names)]
    return upcoming(jobs or config.jobs.values(), _after(begin, config.daemon.timezone), count)


def _of_schedule(schedule: str, timezone: str, begin: str | None, count: int) -> dict[str, Any]:
    from cronverifyd.judge.walls import find_zone
    from cronverifyd.report.upcoming import coming

    try:
        zone = find_zone(timezone).key
    except ScheduleError as error:
        raise click.BadParameter(str(error), param_hint="--timezone") from error
    try:
        return coming(schedule, zone, _after(begin, zone), count)
    except ScheduleError as error:
        raise click.BadParameter(str(error), param_hint="--schedule") from error


def _host_zone() -> str:
    from tzlocal import get_localzone_name

    try:
        return ZoneInfo(get_localzone_name()).key
    except (KeyError, ValueError, TypeError, OSError):  # TypeError: there is no name at all
        return "UTC"


def _after(begin: str | None, timezone: str) -> datetime:
    """Read `--from`; of a wall that comes twice, the first one is taken."""
    from cronverifyd.daemon.clock import read_clock

    if begin is None:
        return read_clock()
    try:
        instant = datetime.fromisoformat(begin)
    except ValueError:
        sentence = f'must be like "2026-03-28T01:30:00+01:00" (got "{begin}")'
        raise click.BadParameter(sentence, param_hint="--from") from None
    if instant.year not in _YEARS:
        sentence = f"must lie in the years {_YEARS.start} to {_YEARS.stop - 1} (got {begin})"
        raise click.BadParameter(sentence, param_hint="--from")
    return instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(timezone))


def _print(document: dict[str, Any], out: Console) -> None:
    from cronverifyd.cli.table import Column, lay_out
    from cronverifyd.daemon.clock import read_clock

    rows, now = document["slots"], read_clock()
    if not rows:
        out.print("none is known: nothing is watched, or it runs at the next boot")
        return
    named = rows[0]["job"] is not None
    columns = (
        Column(title="SLOT"),
        Column(title="", drop=2),
        *((Column(title="JOB", least=12), Column(title="DEADLINE", drop=1)) if named else ()),
        *(() if named else (Column(title="UTC", drop=1),)),
        Column(title="", drop=3),
    )
    lines = lay_out(columns, [_row(row, now, named=named) for row in rows], out.width)
    for line in lines:
        out.print(line)


def _row(row: dict[str, Any], now: datetime, *, named: bool) -> tuple[str, ...]:
    at = datetime.fromisoformat(row["slot"])
    shown, away = at.strftime(f"%a {_wall(at)} %z"), words.roughly(row["slot"], now)
    # crontab(5): what a clock skips is made up for at once, each time that it was to be run.
    often = "" if row["starts"] == 1 else f"cron starts it {row['starts']} times"
    if named:
        return shown, away, row["job"], words.instant(row["deadline"], at), often
    return shown, away, f"{at.astimezone(UTC):{_wall(at)}}", often


def _wall(at: datetime) -> str:
    return "%Y-%m-%d %H:%M:%S" if at.second else "%Y-%m-%d %H:%M"
