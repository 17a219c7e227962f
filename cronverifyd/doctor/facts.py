"""The facts that the checks go by: frozen values, gathered once."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cronverifyd.model import Volume


class Kind(StrEnum):
    """What stands at a path."""

    FILE = "file"
    FOLDER = "folder"
    SOCKET = "socket"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What stands at a path, links followed. `mode`: the permission bits, the sticky one too."""

    path: str
    kind: Kind
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A user, as the kernel sees one. `gids`: of all groups."""

    name: str
    uid: int
    gids: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """One outcome file, or the place of one that is not there yet.

    `way`: the folders above it, the root first; one that is missing ends it. `file` None: it is not
    there. `accounts`: its owner, and the user of its name (`alice` for `alice.jsonl`) where there
    is one.
    """

    path: str
    way: tuple[Entry, ...]
    file: Entry | None
    owner: Account | None = None
    named: Account | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """The files of an installation.

    `state` None: the folder is not there. `way`: the folders above it. `kept`: what the daemon
    keeps in it, by name. `reads_all`: the daemon may read all files, whatever their modes; None:
    that is not known. `sticky_guard`: fs.protected_regular of sysctl(8).
    """

    config: Entry | None
    state_path: str
    way: tuple[Entry, ...]
    state: Entry | None
    kept: Mapping[str, Entry]
    daemon: Account | None
    me: Account
    outcomes: tuple[Outcomes, ...]
    reads_all: bool | None = None
    sticky_guard: int | None = None
    empty_globs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """The file system of a path, and where it is mounted."""

    volume: Volume
    mount: str
    read_only: bool
    full: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """The host's cron. `running` None: other users' processes cannot be seen.

    `service`: what it is called where it is installed, or None; `at_boot`: it is started then.
    """

    running: bool | None
    service: str | None
    at_boot: bool
    pid: int | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """The host's clock. `synchronised` None: the kernel does not say.

    `booted_at`: the boot's beginning, by the clock as it is now; `booted_then`: as it was when the
    daemon first saw this boot. `newest`: the latest instant that the daemon has written down.
    """

    now: datetime
    synchronised: bool | None
    booted_at: datetime | None = None
    booted_then: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """The time zone of host and jobs.

    `host`: its IANA name, or None where that cannot be told. `offsets`: of the host, at some
    instants of the year; `jobs`: the zone of each, and its offsets at the same instants.
    `set_at`: when /etc/localtime was last set.
    """

    host: str | None
    offsets: tuple[float, ...]
    jobs: Mapping[str, tuple[str, tuple[float, ...]]]
    set_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much the kernel lets the daemon have, and how much it needs.

    None: the kernel does not say. `whose`: whose limit on open files it is.
    """

    watches: int | None
    instances: int | None
    open_files: int | None
    whose: str
    folders: int
    files: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """The database, looked at read-only.

    `there` False: there is none. `version`: its schema's; `known`: the newest that this program
    knows. `faults`: what SQLite's quick_check found; None: it was not asked, or not to its end.
    `slow`: the check takes long. `error`: why it cannot be read. `recovers` True: after a crash
    only a writer can read it.
    """

    path: str
    sqlite: tuple[int, ...]
    known: int
    there: bool = True
    version: int | None = None
    faults: tuple[str, ...] | None = None
    error: str | None = None
    recovers: bool = False
    slow: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The process that holds the state folder's lock."""

    pid: int
    started_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """What systemd says of the daemon's unit."""

    load: str
    active: str
    sub: str
    enabled: str
    restarts: int
    result: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """One listener. `answer`: what it said to a request: an HTTP status, or what went wrong.

    `refused`: nobody listens there. `loopback`: only this host can reach it.
    """

    name: str
    host: str
    port: int
    loopback: bool
    status: int | None = None
    refused: bool = False
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """Whether a daemon runs, and how it answers.

    `socket`: the control socket is there. `answers`: it answered; `silence`: why it did not.
    `edited_at`: of the configuration file. `refused_at`: when the daemon last told people of a
    configuration that it did not take. `unit` None: systemd does not run here.
    """

    state_dir: str
    config: str
    holder: Holder | None
    socket: bool
    answers: bool
    silence: str | None
    edited_at: datetime | None
    refused_at: datetime | None = None
    unit: Unit | None = None
    doors: tuple[Door, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapper:
    """The program of crontab lines.

    `interpreter`: what its first line names, with the arguments; `runs`: that can be started.
    `in_cron_path`: crontab lines find it without its folder. `current`: it is this version's; None:
    that cannot be told. `python`: whether /usr/bin/python3 can be started.
    """

    path: str | None
    interpreter: str | None = None
    runs: bool = False
    in_cron_path: bool = False
    current: bool | None = None
    python: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to people: a channel, or the heartbeat.

    `error`: why it cannot be used, found without sending anything. `took_at`: when it last took a
    message; `refused_at`: when the last one was made that it refused for good; `waits_since`: of
    the oldest that it has not taken. `said`: what went wrong with the last one.
    """

    name: str
    kind: str
    error: str | None = None
    took_at: datetime | None = None
    refused_at: datetime | None = None
    waits_since: datetime | None = None
    said: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cues:
    """What CueAPI says. `error`: why nothing is known; `key_refused`: it does not know the key.

    `changes`: what a sync would change; `without`: jobs for which the plan has no room.
    """

    host: str
    error: str | None = None
    remedy: str | None = None
    key_refused: bool = False
    cues: int = 0
    changes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What the daemon has written down, as far as a fitting database says so.

    `boots`: when each was; `newest`: the latest look at an outcome file. `took`, `refused` and
    `waits`: of each channel, as the facts of a way have it. `beat`: the last word of the heartbeat.
    """

    database: Database
    boots: Mapping[str, datetime] = field(default_factory=dict)
    newest: datetime | None = None
    took: Mapping[str, datetime] = field(default_factory=dict)
    refused: Mapping[str, datetime] = field(default_factory=dict)
    waits: Mapping[str, datetime] = field(default_factory=dict)
    beat: tuple[datetime, str] | None = None
    config_refused_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tunnel:
    """What answers at the address that CueAPI delivers to. `host`: its name.

    `status`: of the answer; None: there was none, and `error` says why.
    """

    host: str
    status: int | None = None
    error: str | None = None
