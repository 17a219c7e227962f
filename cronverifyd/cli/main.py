"""The command line: finds the command, runs it, and turns errors into words and an exit code."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from pathlib import Path
from typing import NoReturn, TextIO

import click

from cronverifyd import __version__
from cronverifyd.cli.common import hush
from cronverifyd.errors import CronverifydError, StateError

_OUTPUT_IS_LOST = {errno.ENOSPC, errno.EIO, errno.EPIPE}
# A command is the module of its name. That is imported when it is called, and not for its help:
# flask, requests and the scheduler together take a quarter of a second that `status` does not have.
_COMMANDS = {
    "run": "Run the daemon in the foreground.",
    "check": "Verify now, and print what is not well.",
    "status": "Show every job: its last verdict, last success and next slot.",
    "history": "Show a job's slots and runs, newest first.",
    "why": "Show the evidence behind a job's verdict.",
    "next": "Show the slots to come, or when a schedule would run.",
    "alerts": "Show what was sent to whom, and what was not.",
    "ack": "Say that you know of an incident: nobody is reminded of it.",
    "mute": "Tell nobody of a job for a while.",
    "unmute": "End a mute before its time.",
    "drill": "Prove that a failure would be told, on every channel.",
    "cue": "Make CueAPI's cues equal to the configuration, or compare them.",
    "config": "Check a configuration, or import one.",
    "doctor": "Show what is wrong with this installation, and what to do about it.",
    "demo": "Show all of it in under a minute, in a temporary folder.",
}


class _Commands(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cronverifyd.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all well, 1 some job is not well, 2 usage or configuration error,"
    " 3 the daemon or its state cannot be reached, 4 another daemon holds the state.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="The configuration file [default: $CRONVERIFYD_CONFIG, ./config.toml,"
    " /etc/cronverifyd/config.toml].",
)
@click.version_option(__version__, prog_name="cronverifyd")
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None) -> None:
    """Verify that every scheduled cron job on this host actually ran.

    \b
    Examples:
      cronverifyd config check
      cronverifyd run
      cronverifyd status
      cronverifyd why invoice-gen
    """
    ctx.obj = config_path


def main() -> NoReturn:
    """Run the command line and end the process."""
    _open_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; what went wrong is said on stderr."""
    try:
        code = cli.main(arguments, prog_name="cronverifyd", standalone_mode=False)
        sys.stdout.flush()
    except CronverifydError as error:
        _say(str(error), error.remedy)
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "cronverifyd"
        _say(error.format_message(), f"{path} --help")
        return CronverifydError.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OSError as error:
        if error.errno not in _OUTPUT_IS_LOST:
            raise
        hush()
        _say(f"cannot go on: {error.strerror or error}", None)
        return StateError.exit_code
    return code if isinstance(code, int) else 0


def _open_streams() -> None:
    """Make the streams fit to be written to: some callers close them, some know only ASCII."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _say(what: str, remedy: str | None) -> None:
    for line in what.splitlines():
        click.echo(f"cronverifyd: {line}", err=True)
    if remedy is not None:
        click.echo(f"try: {remedy}", err=True)
