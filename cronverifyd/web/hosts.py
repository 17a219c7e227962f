"""Who a request says it is meant for, and whose page sent it.

Without a secret, a listener on loopback is open to every page that a browser on this host shows: a
page whose name is made to mean 127.0.0.1 (DNS rebinding) may even read the answers. Such requests
bear another Host, or another Origin, than the listener's own.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from cronverifyd.web.app import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_HTTP_PORT = "80"


def keep_to(app: Flask, names: frozenset[str] = frozenset()) -> None:
    """Let an application answer only what is meant for it: else 421, or 403 for a foreign page.

    It is called by the address at which the client has reached it, with its port; on loopback, also
    by the other names of loopback. `names`: what else it is called, as a Host header has it: small
    letters, and the port unless it is the scheme's own. `X-Forwarded-Host` is not looked at.
    """

    @app.before_request
    def refuse_strangers() -> Response | None:
        if not _is_meant_for(request.environ, names):
            return refusal(421, "this listener is not called that")
        if _is_from_elsewhere(request.environ):
            return refusal(403, "pages from elsewhere get no answer")
        return None


def names_of(host: str, port: int, host_name: str) -> frozenset[str]:
    """Say what a listener is called, besides the address that was reached, by where it listens.

    `host`: as configured, IPv6 without brackets. On all addresses it is also called as this host
    is, `host_name`: no page can make that mean another address.
    """
    try:
        is_everywhere = ip_address(host).is_unspecified
    except ValueError:
        return frozenset({_with_port(host.lower(), str(port))})
    return frozenset({_with_port(host_name.lower(), str(port))} if is_everywhere else ())


def _is_meant_for(environ: Mapping[str, Any], names: frozenset[str]) -> bool:
    """Say so by the Host, which must stand there once, and by a request line without a host."""
    host = environ.get("HTTP_HOST", "").lower()
    is_path = environ["REQUEST_URI"].startswith("/")
    return is_path and (host in names or host in _own_names(environ))


def _own_names(environ: Mapping[str, Any]) -> set[str]:
    address = _address(environ)
    if address is None:
        return set()
    port = environ["SERVER_PORT"]
    hosts = {f"[{address}]" if address.version == 6 else f"{address}"}
    if address.is_loopback:
        hosts.update(_LOOPBACK)
    return {_with_port(host, port) for host in hosts}


def _address(environ: Mapping[str, Any]) -> IPv4Address | IPv6Address | None:
    """Give the address that the client has reached; None on a socket file.

    A listener on `::` sees those who come by IPv4 at a mapped address.
    """
    if "SERVER_ADDR" not in environ:
        return None
    address = ip_address(environ["SERVER_ADDR"])
    return getattr(address, "ipv4_mapped", None) or address


def _with_port(host: str, port: str) -> str:
    return host if port == _HTTP_PORT else f"{host}:{port}"


def _is_from_elsewhere(environ: Mapping[str, Any]) -> bool:
    """Say so by the Origin, or, where there is none, by what browsers tell of who sends a body.

    A link from elsewhere is followed without a body (Fetch Metadata Request Headers, W3C).
    """
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        host = environ["HTTP_HOST"].lower()
        return origin.lower() not in {f"http://{host}", f"https://{host}"}
    site = environ.get("HTTP_SEC_FETCH_SITE", "none")
    has_body = environ.get("CONTENT_LENGTH", "0") != "0"
    reads = environ["REQUEST_METHOD"] in {"GET", "HEAD"} and not has_body
    return not reads and site not in {"same-origin", "none"}
