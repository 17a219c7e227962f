"""From a configuration to an engine and its senders."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from cronverifyd.config.secrets import resolve
from cronverifyd.cue.client import CueApi
from cronverifyd.daemon.clock import read_clock
from cronverifyd.engine.engine import Engine
from cronverifyd.errors import ConfigError
from cronverifyd.intake.tail import Tail
from cronverifyd.store.sqlite import Store
from cronverifyd.tell.heartbeat import Heartbeat
from cronverifyd.tell.redact import Redacting
from cronverifyd.tell.senders import build as build_sender
from cronverifyd.tell.senders import usable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from cronverifyd.config.pieces import Config
    from cronverifyd.engine.engine import Hands
    from cronverifyd.engine.lost import Host
    from cronverifyd.model import Sender


def senders(config: Config, console: TextIO) -> dict[str, Sender]:
    """Make a sender for each channel; none of them is told a secret.

    `console`: where the channels of that kind write.
    Raises ConfigError for a secret that cannot be found, or a channel that cannot work.
    """
    look_up = partial(resolve, environ=os.environ)
    return {
        name: Redacting(build_sender(channel, look_up, console, read_clock))
        for name, channel in config.channels.items()
    }


def heartbeat(config: Config) -> Heartbeat | None:
    """Make the heartbeat; None where none is configured. Raises ConfigError."""
    if config.heartbeat is None:
        return None
    url = resolve(config.heartbeat.url, os.environ)
    if not usable(url):
        raise ConfigError("heartbeat.url: must be an http(s) address")
    return Heartbeat(url)


def cue(config: Config) -> CueApi | None:
    """Make a client of CueAPI; None without a key, or where it has nothing to do."""
    key = config.cueapi.api_key
    if key is None or config.cueapi.transport == "off":
        return None
    return CueApi(config.cueapi.base_url, resolve(key, os.environ))


@contextmanager
def engine(config: Config, hands: Hands, host: Host) -> Iterator[tuple[Engine, Tail]]:
    """Open the store and the outcome files; the caller holds the state folder."""
    with (
        closing(Store(config.daemon.state_dir)) as store,
        closing(Tail(config.daemon.outcomes, store.marks())) as tail,
    ):
        yield Engine(config.scope(), store, tail, host, hands), tail
