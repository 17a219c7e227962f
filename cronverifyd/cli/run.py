"""`cronverifyd run`."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import click

from cronverifyd.cli.common import config_option, find_config

if TYPE_CHECKING:
    from pathlib import Path


@click.command("run")
@config_option
def command(config_path: Path | None) -> int:
    """Run the daemon in the foreground: what the systemd unit starts.

    SIGTERM and SIGINT stop it. SIGHUP, or saving the configuration file, brings the new
    configuration into force; a broken one is told, and the old one stays.

    \b
    Examples:
      cronverifyd run
      cronverifyd run --config /etc/cronverifyd/config.toml
    """
    from cronverifyd.daemon.run import run

    _log_to_stderr()
    run(find_config(config_path))
    return 0


def _log_to_stderr() -> None:
    time = "" if not sys.stderr.isatty() else "%(asctime)s "  # the journal has its own
    logging.basicConfig(level=logging.INFO, format=f"{time}%(levelname)s %(name)s: %(message)s")
    for chatty in ("apscheduler", "waitress", "werkzeug", "watchdog"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
