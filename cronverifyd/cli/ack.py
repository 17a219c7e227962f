"""`cronverifyd ack`: say that somebody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import config_option, console, json_option, print_json, read_config
from cronverifyd.cli.here import ask_daemon, here, who
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from pathlib import Path

    from cronverifyd.config.pieces import Config


@click.command("ack")
@click.argument("names", nargs=-1, required=True, metavar="JOB...")
@config_option
@json_option
def command(names: tuple[str, ...], config_path: Path | None, *, as_json: bool) -> int:
    """Say that you know of a job's open incident: nobody is reminded of it any more.

    The job stays not well until it is, and its recovery is told as ever. JOB may also be the
    incident's id, as alerts and status show it.

    \b
    Examples:
      cronverifyd ack invoice-gen
      cronverifyd ack k3m7qx2a
    """
    config = read_config(config_path)
    asked = ask_daemon(config, "/ack", {"names": list(names), "who": who()})
    document = asked or _ack_here(config, names)
    if as_json:
        print_json(document)
        return 0
    out = console()
    for incident in document["incidents"]:
        slots = plural(incident["slots"], "bad slot")
        out.print(
            f"{words.safe(incident['job'])}: incident {incident['id']} is acknowledged ({slots});"
            " nobody is reminded until it is over"
        )
    return 0


def _ack_here(config: Config, names: tuple[str, ...]) -> dict[str, Any]:
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.model import Acknowledge
    from cronverifyd.web.answer import acknowledged

    with here(config) as mine:
        acked = mine.engine.handle(Acknowledge(names=names, who=who()), read_clock())
    return acknowledged(acked)
