"""`cronverifyd unmute`: end a mute before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cronverifyd.cli.common import config_option, console, json_option, print_json, read_config
from cronverifyd.cli.here import ask_daemon, who
from cronverifyd.cli.mute import check, do_here, whom
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from pathlib import Path


@click.command("unmute")
@click.argument("job", required=False, metavar="[JOB]")
@click.option("--all", "everything", is_flag=True, help="End the mute of everything.")
@config_option
@json_option
def command(job: str | None, config_path: Path | None, *, everything: bool, as_json: bool) -> int:
    """End a mute before its time, and tell what it has swallowed.

    \b
    Examples:
      cronverifyd unmute db-backup
      cronverifyd unmute --all
    """
    from cronverifyd.model import Unsilence

    config, meant = read_config(config_path), whom(job, everything=everything)
    check(config, meant)
    asked = Unsilence(job=meant, who=who())
    payload = {"job": meant, "who": asked.who}
    document = ask_daemon(config, "/unmute", payload) or do_here(config, asked)
    if as_json:
        print_json(document)
    elif document["mute"] is None:
        console().print(f"{meant or 'everything'} was not muted")
    else:
        swallowed = plural(document["mute"]["swallowed"], "message")
        console().print(f"the mute of {meant or 'everything'} is over; it swallowed {swallowed}")
    return 0
