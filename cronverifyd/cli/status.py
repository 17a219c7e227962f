"""`cronverifyd status`."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import config_option, console, json_option, print_json, read_config
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console, RenderableType
    from rich.text import Text

    from cronverifyd.config.pieces import Config

_REFRESH_S = 2.0
_STOPPED = {
    "cron_dead": "cron is not running",
    "triggers_stopped": "CueAPI has stopped triggering",
}


@click.command("status")
@click.option("--watch", is_flag=True, help="Show it again every two seconds; Ctrl-C ends.")
@config_option
@json_option
def command(config_path: Path | None, *, watch: bool, as_json: bool) -> int:
    """Show every job: the verdict of its last due slot, its last success, its next slot.

    Exit code 0 when all is well, 1 when an incident is open, 3 when a slot that is due was not
    judged: then nobody checks.

    \b
    Examples:
      cronverifyd status
      cronverifyd status --json | jq '.jobs[] | select(.verdict != "ok")'
    """
    config = read_config(config_path)
    if watch and not as_json:
        _watch(config)
        return 0
    document = _document(config)
    if as_json:
        print_json(document)
    else:
        out = console()
        out.print(_page(document, out))
    return _exit_code(document)


def _document(config: Config) -> dict[str, Any]:
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.report import documents
    from cronverifyd.store.reader import open_reader

    with open_reader(config.daemon.state_dir) as reader:
        return documents.status(config.scope(), reader, read_clock())


def _exit_code(document: dict[str, Any]) -> int:
    if document["unverified"]:
        names = ", ".join(document["unverified"])
        click.echo(f"cronverifyd: nobody has checked lately; due and not judged: {names}", err=True)
        click.echo("try: cronverifyd run, or cronverifyd check", err=True)
        return 3
    return 0 if document["healthy"] else 1


def _watch(config: Config) -> None:
    from rich.live import Live

    out = console()
    with Live(console=out, screen=sys.stdout.isatty(), auto_refresh=False) as live:
        while True:
            live.update(_page(_document(config), out), refresh=True)
            time.sleep(_REFRESH_S)


def _page(document: dict[str, Any], out: Console) -> RenderableType:
    from rich.console import Group

    now = datetime.fromisoformat(document["now"])
    return Group(
        *_table(document, now, out.width),
        *_reasons(document, now, out),
        *_cannot_see(document, now, out),
        *_stopped(document, now, out),
        *_mutes(document, now, out),
        *_findings(document, now, out),
        *_unproven(document, out),
        *_summary(document, now),
    )


def _table(document: dict[str, Any], now: datetime, room: int) -> list[Text]:
    from cronverifyd.cli.table import Column, lay_out

    columns = (
        Column(title="JOB", least=18),
        Column(title="VERDICT"),
        Column(title="LAST SLOT", drop=2),
        Column(title="LAST OK", drop=3),
        Column(title="NEXT", drop=4),
        Column(title="STRIP", drop=1),
    )
    return lay_out(columns, [_row(job, now) for job in document["jobs"]], room)


def _row(job: dict[str, Any], now: datetime) -> tuple[Text | str, ...]:
    from rich.text import Text

    return (
        job["job"],
        Text(job["verdict"], style=words.STYLES[job["verdict"]]),
        words.recent(job["slot"], now) if job["slot"] else "-",
        words.roughly(job["last_ok"], now),
        words.roughly(job["next"], now),
        Text.assemble(*((words.LETTERS[v], words.STYLES[v]) for v in job["strip"])),
    )


def _reasons(document: dict[str, Any], now: datetime, out: Console) -> Iterator[Text]:
    """Say, of each job with an open incident, why and since when it is not well."""
    from rich.text import Text

    from cronverifyd.cli.table import hang

    for job in document["jobs"]:
        if job["incident"] is not None:
            reason = f": {words.safe(job['reason'])}; {_incident(job['incident'], now)}"
            yield from hang("", Text.assemble((job["job"], "bold red"), reason), 2, out)


def _cannot_see(document: dict[str, Any], now: datetime, out: Console) -> Iterator[Text]:
    """Say which outcome files hide something, and since when."""
    from rich.text import Text

    from cronverifyd.cli.table import hang

    blind = document["cannot_see"]
    if blind is not None:
        since = words.ago(blind["since"], now).removesuffix(" ago")
        files = "; ".join(f"{file['path']} {file['reason']}" for file in blind["files"])
        text = f": {words.safe(files, 1_000)}; incident {blind['id']}, open for {since}"
        yield from hang("", Text.assemble(("cannot see", "bold magenta"), text), 2, out)


def _stopped(document: dict[str, Any], now: datetime, out: Console) -> Iterator[Text]:
    """Say that no cron is running, or that triggers have stopped coming, and since when."""
    from rich.text import Text

    from cronverifyd.cli.table import hang

    for key, words_of_it in _STOPPED.items():
        if (open_one := document[key]) is not None:
            since = words.ago(open_one["since"], now).removesuffix(" ago")
            text = f": for {since}; incident {open_one['id']}"
            yield from hang("", Text.assemble((words_of_it, "bold red"), text), 2, out)


def _mutes(document: dict[str, Any], now: datetime, out: Console) -> Iterator[Text]:
    """Say what is muted, until when, and how much that has swallowed."""
    from rich.text import Text

    from cronverifyd.cli.table import hang

    for mute in document["mutes"]:
        by = f" by {words.safe(mute['who'], 80)}" if mute["who"] else ""
        why = f" ({words.safe(mute['reason'], 200)})" if mute["reason"] else ""
        until = words.instant(mute["until"], now.astimezone())
        swallowed = plural(mute["swallowed"], "message") + " swallowed"
        text = f": muted until {until}{by}{why}; {swallowed}"
        yield from hang(
            "", Text.assemble((mute["job"] or "everything", "bold yellow"), text), 2, out
        )


def _findings(document: dict[str, Any], now: datetime, out: Console) -> Iterator[Text]:
    """Say what was odd about a job lately: of each kind the newest."""
    from rich.text import Text

    from cronverifyd.cli.table import hang

    newest = {(f["job"], f["kind"]): f for f in reversed(document["findings"])}
    for (job, kind), finding in newest.items():
        text = f" {kind}: {words.safe(finding['text'])} ({words.roughly(finding['at'], now)})"
        yield from hang("", Text.assemble((words.safe(job), "yellow"), text), 2, out)


def _unproven(document: dict[str, Any], out: Console) -> Iterator[Text]:
    """Say which links between a job and people are not proven to hold."""
    from rich.text import Text

    from cronverifyd.cli.table import hang

    for fault in document["unproven"]:
        yield from hang(
            "", Text.assemble(("not proven", "yellow"), f": {words.safe(fault)}"), 2, out
        )


def _incident(incident: dict[str, Any], now: datetime) -> str:
    since = words.ago(incident["since"], now).removesuffix(" ago")
    acked = ", acknowledged" if incident["acked"] else ""
    slots = plural(incident["slots"], "bad slot")
    return f"incident {incident['id']}, open for {since}, {slots}{acked}"


def _summary(document: dict[str, Any], now: datetime) -> list[Text]:
    from rich.text import Text

    sick = sum(job["incident"] is not None for job in document["jobs"])
    count = len(document["jobs"])
    facts = [plural(count, "job")]
    facts.append(f"{sick} not well" if sick else "none has an open incident")
    if document["cannot_see"]:
        facts.append("outcome files cannot be seen")
    if document["mutes"]:
        facts.append(plural(len(document["mutes"]), "mute"))
    if document["rejected"]:
        facts.append(f"{plural(document['rejected'], 'line')} rejected")
    if document["undelivered"]:
        facts.append(f"{plural(document['undelivered'], 'message')} undelivered")
    facts.append(f"last message delivered {words.ago(document['last_delivery'], now)}")
    return [Text(words.LEGEND, style="dim"), Text(f"{document['instance']}: {', '.join(facts)}")]
