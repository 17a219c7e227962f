"""Addresses as a configuration file writes them: of listeners, servers, web pages and people."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from cronverifyd.config.readers import RefusedError, got, text

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}(@[A-Za-z0-9][A-Za-z0-9.-]{0,253})?")


def http_url(value: Any) -> str:
    """Read the URL of something on the web."""
    if not is_http_url(text(value)):
        raise RefusedError(f"must be an http:// or https:// URL {got(value)}")
    return str(value)


def is_http_url(url: str) -> bool:
    """Say whether a text is an http or https URL with a host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and " " not in url


def address(value: Any) -> tuple[str, int] | None:
    """Read `host:port`, with an IPv6 host in square brackets; None for `off`."""
    return None if text(value) == "off" else _host_and_port(value, or_off=' or "off"')


def host_name(value: Any) -> str:
    """Read a name as a Host header bears it: small letters, with the port where there is one."""
    name = text(value).lower()
    if not _NAME.fullmatch(name):
        raise RefusedError(f"must be a host name, with its port if it is not 80 {got(value)}")
    return name


def server(value: Any) -> tuple[str, int]:
    """Read `host:port`, with an IPv6 host in square brackets."""
    return _host_and_port(text(value))


def is_loopback(host: str) -> bool:
    """Say whether what goes to a host stays on this one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def mailbox(value: Any) -> str:
    """Read a bare mail address (RFC 5322, 3.4.1), or the name of a local mailbox, such as root."""
    if not _MAILBOX.fullmatch(text(value)):
        raise RefusedError(f'must be a bare address, such as "ops@example.com" {got(value)}')
    return str(value)


def _host_and_port(value: str, or_off: str = "") -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not _is_host(host):
        ipv6 = ', "[IPv6]:port"' if or_off else ' or "[IPv6]:port"'
        raise RefusedError(f'must be "host:port"{ipv6}{or_off} {got(value)}')
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
        raise RefusedError(f"must end with a port from 1 to 65535 {got(value)}")
    return host.strip("[]"), int(port)


def _is_host(host: str) -> bool:
    """Say whether it is a host name, an IPv4 address or an IPv6 address in brackets."""
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        return ipaddress.ip_address(host.strip("[]")).version == (6 if bracketed else 4)
    except ValueError:
        # What ends in digits would be taken for an IPv4 address, and is none.
        return bool(_HOST.fullmatch(host)) and not host.rpartition(".")[2].isdigit()
