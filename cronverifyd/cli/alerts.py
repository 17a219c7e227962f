"""`cronverifyd alerts`: the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import config_option, console, json_option, print_json, read_config
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console
    from rich.text import Text

_SILENT = {
    "superseded": "its failure was never told",
    "muted": "kept back until the mute ends",
    "folded": "told by the message that names its cause",
}
_STYLES = {
    "sent": "green",
    "dead": "bold red",
    "failed": "yellow",
    **dict.fromkeys(_SILENT, "dim"),
}


@click.command("alerts")
@click.option("--undelivered", is_flag=True, help="Only what nobody has been told.")
@click.option("-n", "count", type=click.IntRange(1, 100_000), default=50, show_default=True)
@config_option
@json_option
def command(config_path: Path | None, count: int, *, undelivered: bool, as_json: bool) -> int:
    """Show what was sent, where and when; what was not, why, and when it is tried again.

    The newest comes first.

    \b
    Examples:
      cronverifyd alerts
      cronverifyd alerts --undelivered --json | jq '.alerts[] | {job, channel, error}'
    """
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.report.outbox import alerts
    from cronverifyd.store.reader import open_reader

    config = read_config(config_path)
    with open_reader(config.daemon.state_dir) as reader:
        document = alerts(reader, count, undelivered=undelivered)
    if as_json:
        print_json(document)
    elif document["alerts"]:
        _print(document["alerts"], read_clock(), console())
    else:
        console().print("everything was delivered" if undelivered else "nobody was told anything")
    return 0


def _print(rows: list[dict[str, Any]], now: datetime, out: Console) -> None:
    from cronverifyd.cli.table import Column, lay_out

    columns = (
        Column(title="WHEN"),
        Column(title="JOB", least=12, drop=4),
        Column(title="KIND"),
        Column(title="CHANNEL", drop=3),
        Column(title="STATE"),
        Column(title="INCIDENT", drop=2),
        Column(title="WHAT CAME OF IT", drop=1),
    )
    for line in lay_out(columns, [_row(row, now) for row in rows], out.width):
        out.print(line)


def _row(row: dict[str, Any], now: datetime) -> tuple[Text | str, ...]:
    from rich.text import Text

    return (
        words.instant(row["created_at"], now.astimezone()),
        words.safe(row["job"], 100) or "-",
        row["kind"],
        row["channel"],
        Text(row["state"], style=_STYLES.get(row["state"], "")),
        row["incident"] or "-",
        _outcome(row, now),
    )


def _outcome(row: dict[str, Any], now: datetime) -> str:
    if row["sent_at"] is not None:
        return f"took it {words.ago(row['sent_at'], now)}"
    if row["state"] in _SILENT:
        return words.safe(row["error"], 200) or _SILENT[row["state"]]
    tried = f", tried {plural(row['tries'], 'time')}" if row["tries"] else ""
    again = f"; again {words.ago(row['next_try'], now)}" if row["next_try"] else ""
    return f"{words.safe(row['error'], 200) or 'waits'}{tried}{again}"
