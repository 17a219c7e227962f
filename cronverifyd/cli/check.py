"""`cronverifyd check`: verify now."""

from __future__ import annotations

import os
import sys
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
from cronverifyd.errors import CronverifydError, StateError, UnavailableError, UnknownJobError
from cronverifyd.model import DeliveryResult

if TYPE_CHECKING:
    from pathlib import Path

    from cronverifyd.config.pieces import Config
    from cronverifyd.model import Delivered

_DAEMON_ANSWERS_WITHIN_S = 30.0
_NOBODY_LISTENS = (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)


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
    document = _ask_daemon(config, jobs) or _check_here(config, jobs)
    if as_json:
        print_json({key: document[key] for key in ("checked", "failures", "details")})
    else:
        _print(document)
    return 1 if document["failures"] else 0


def _refuse_unwatched(config: Config, job: str) -> None:
    if not config.jobs[known_job(job, config.jobs)].enabled:
        what = f'job "{job}" is disabled: nobody verifies it'
        raise UnknownJobError(what, remedy=f"enabled = true in [jobs.{job}] of {config.path}")


def _ask_daemon(config: Config, jobs: tuple[str, ...]) -> dict[str, Any] | None:
    """Let the daemon do it; None if there is none."""
    from cronverifyd.state import CONTROL_SOCKET
    from cronverifyd.web.client import ask_daemon

    path = config.daemon.state_dir / CONTROL_SOCKET
    try:
        status, document = ask_daemon(
            path, "/check", {"jobs": list(jobs) or None}, _DAEMON_ANSWERS_WITHIN_S
        )
    except StateError as error:
        if isinstance(error.__cause__, _NOBODY_LISTENS):
            return None
        raise
    if status != 200:
        raise _error(status, str(document.get("error", "no reason given")))
    return document


def _error(status: int, words: str) -> CronverifydError:
    if status == 404:
        return UnknownJobError(words, remedy="cronverifyd status lists the jobs")
    if status == 503:
        return UnavailableError(words, remedy="look at the daemon's log: journalctl -u cronverifyd")
    return CronverifydError(f"the daemon refused: {words}")


def _check_here(config: Config, jobs: tuple[str, ...]) -> dict[str, Any]:
    from cronverifyd import state
    from cronverifyd.daemon import build
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.daemon.couriers import attempt
    from cronverifyd.daemon.surveyor import survey
    from cronverifyd.engine.engine import Hands
    from cronverifyd.host.machine import Machine
    from cronverifyd.model import Measure, Message, TriggeredBy, Verify
    from cronverifyd.web.answer import answer

    state.become_owner(config.daemon.state_dir)
    os.umask(0o077)  # as the daemon does: the output of jobs is nobody else's business
    senders = build.senders(config, sys.stderr)
    waiting: list[tuple[str, tuple[str, ...], Message]] = []
    unmeasured: list[Measure] = []
    hands = Hands(send=lambda *handed: waiting.append(handed), measure=unmeasured.append)
    with state.hold(config.daemon.state_dir), build.engine(config, hands, Machine()) as (engine, _):
        engine.begin(read_clock())
        look = Verify(jobs=jobs or None, triggered_by=TriggeredBy.CHECK)
        verified = engine.handle(look, read_clock())
        if unmeasured:
            while unmeasured:
                engine.handle(survey(unmeasured.pop(0)), read_clock())
            verified = engine.handle(look, read_clock())
        while waiting:
            channel, rows, message = waiting.pop(0)
            delivered = attempt(channel, senders[channel], rows, message)
            engine.handle(delivered, read_clock())
            _say_what_failed(delivered)
        engine.end()
    if verified is None:
        raise UnavailableError("the check gave no answer")
    return answer(verified)


def _say_what_failed(delivered: Delivered) -> None:
    result, error = delivered.delivery.result, delivered.delivery.error
    if result is not DeliveryResult.SENT:
        click.echo(f"cronverifyd: channel {delivered.channel} was not told: {error}", err=True)
    if result is DeliveryResult.RETRY:
        click.echo("try: cronverifyd check again; a daemon tries by itself", err=True)


def _print(document: dict[str, Any]) -> None:
    from cronverifyd.cli.table import hang

    out = console()
    for detail in document["details"]:
        out.print(f"{detail['job']}: {detail['verdict']}", style="bold red")
        out.print(*hang("  ", words.safe(detail["issue"]), 2, out), sep="\n")
        if detail["error"]:
            out.print(*hang("  ", f"error: {words.safe(detail['error'])}", 2, out), sep="\n")
    out.print(document["result"])
