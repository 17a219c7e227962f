"""Which keys a configuration file may have, in one table.

Every key of the published format stands here, those of later versions too: they are refused by
name, for a key that is accepted and ignored would promise what nobody does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cronverifyd.config import addresses, readers
from cronverifyd.model import MaintenanceMode, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronverifyd.config.readers import Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key with a value. `default` None: it is worked out from others, or means none."""

    read: Reader
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with keys that are fixed."""

    keys: Mapping[str, Part]


@dataclass(frozen=True, slots=True)
class Named:
    """A table of like tables, each under a name that the operator chose."""

    table: Table


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of like tables; none where the key is not there."""

    table: Table


@dataclass(frozen=True, slots=True)
class Later:
    """A key or table of the format that this version does not support."""


Part = Key | Table | Named | Listed | Later
LATER = Later()

SCHEMA = Table(
    {
        "daemon": Table(
            {
                "state_dir": Key(read=readers.text, default="state"),
                "outcomes": Key(read=readers.each(readers.text)),
                "timezone": Key(read=readers.zone),
                "instance": Key(read=readers.text),
                "retention": LATER,
            }
        ),
        "listen": Table(
            {
                "trigger": Key(read=addresses.address, default=("127.0.0.1", 8400)),
                "status": Key(read=addresses.address, default=("127.0.0.1", 8401)),
                "names": Key(read=readers.each(addresses.host_name), default=()),
            }
        ),
        "cueapi": Table(
            {
                "transport": Key(read=readers.one_of("off", "webhook", "worker"), default="off"),
                "base_url": Key(read=addresses.http_url, default="https://api.cueapi.ai"),
                "webhook_url": Key(read=addresses.http_url),
                "api_key": Key(read=readers.secret),
                "signing_secrets": Key(read=readers.each(readers.secret), default=()),
                "shared_secret": Key(read=readers.secret),
                "fallback_after": Key(read=readers.wait, default=10.0),
            }
        ),
        "channels": Named(
            Table(
                {
                    "kind": Key(
                        read=readers.one_of(
                            "slack", "console", "webhook", "command", "email", "apprise"
                        ),
                        required=True,
                    ),
                    "url": Key(read=readers.secret),
                    "secret": Key(read=readers.secret),
                    "command": Key(read=readers.command),
                    "timeout": Key(read=readers.duration),
                    "to": Key(read=readers.each(addresses.mailbox)),
                    "from": Key(read=addresses.mailbox),
                    "server": Key(read=addresses.server),
                    "tls": Key(read=readers.tls),
                    "username": Key(read=readers.ascii_text),
                    "password": Key(read=readers.secret),
                    "severity": Key(read=readers.each(readers.severity), default=tuple(Severity)),
                    "tags": Key(read=readers.each(readers.text), default=()),
                }
            )
        ),
        "alerts": Table(
            {
                "channels": Key(read=readers.each(readers.text)),
                "second": Key(read=readers.each(readers.text), default=()),
                "remind": Key(
                    read=readers.each(readers.duration), default=(3_600.0, 14_400.0, 86_400.0)
                ),
                "gather": Key(read=readers.wait, default=5.0),
                "drill": Key(read=readers.one_of("weekly", "off"), default="weekly"),
            }
        ),
        "heartbeat": Table(
            {
                "url": Key(read=readers.secret),
                "every": Key(read=readers.duration),
            }
        ),
        "jobs": Named(
            Table(
                {
                    "schedule": Key(read=readers.text, required=True),
                    "timezone": Key(read=readers.zone),
                    "max_duration": Key(read=readers.duration),
                    "grace": Key(read=readers.duration),
                    "start_within": Key(read=readers.duration),
                    "expected_status": Key(read=readers.status, default="success"),
                    "expect": Key(read=readers.each(readers.assertion), default=()),
                    "tolerate": Key(read=readers.count(0), default=0),
                    "recover_after": Key(read=readers.count(1), default=1),
                    "severity": Key(read=readers.severity, default=Severity.CRITICAL),
                    "channels": Key(read=readers.each(readers.text)),
                    "user": Key(read=readers.user),
                    "tags": Key(read=readers.each(readers.text), default=()),
                    "runbook": Key(read=addresses.http_url),
                    "enabled": Key(read=readers.flag, default=True),
                    "maintenance": Listed(
                        Table(
                            {
                                "schedule": Key(read=readers.calendar, required=True),
                                "duration": Key(read=readers.duration, required=True),
                                "mode": Key(read=readers.mode, default=MaintenanceMode.MUTE),
                            }
                        )
                    ),
                    "artifact": Listed(
                        Table(
                            {
                                "path": Key(read=readers.text, required=True),
                                "min_size": Key(read=readers.size),
                                "shrink": Key(read=readers.part),
                                "changed": Key(read=readers.flag, default=False),
                                "opens": Key(read=readers.flag, default=False),
                            }
                        )
                    ),
                }
            )
        ),
    }
)
