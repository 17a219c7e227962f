"""From a channel's values to its piece: each kind has keys of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cronverifyd.config.addresses import is_http_url, is_loopback
from cronverifyd.model import Channel, Mail, Secret, Tls

if TYPE_CHECKING:
    from cronverifyd.config.locate import Keys
    from cronverifyd.config.site import Site

_Values = Mapping[str, Any]

# kind → what it must have, and what that is
_NEEDS: Mapping[str, Mapping[str, str]] = {
    "slack": {"url": "its webhook's URL"},
    "console": {},
    "webhook": {"url": "the URL that takes its messages"},
    "command": {"command": "the program to run"},
    "email": {"to": "the addresses to write to", "from": "the address that it comes from"},
    "apprise": {"url": "its service's Apprise URL"},
}
# kind → what it may have
_MAY = {
    "webhook": {"secret"},
    "command": {"timeout"},
    "email": {"server", "tls", "username", "password"},
}
_OWN = (
    "url",
    "secret",
    "command",
    "timeout",
    "to",
    "from",
    "server",
    "tls",
    "username",
    "password",
)
_SMTPS, _SUBMISSION = 465, 587  # RFC 8314
_TIMEOUT_S = 10.0
_SENDMAIL = "/usr/sbin/sendmail"


def channel(name: str, values: _Values, site: Site) -> Channel:
    """Build a channel; the site's sheet has what is wrong with it."""
    keys: Keys = ("channels", name)
    kind, severity = values["kind"], frozenset(values["severity"])
    if kind is None:  # a problem already
        return Channel(name=name, kind="console", severity=severity)
    known = _check_keys(kind, values, keys, site)
    own = {key: values[key] if key in known else None for key in _OWN}
    return Channel(
        name=name,
        kind=kind,
        url=_url(kind, own["url"], (*keys, "url"), site),
        severity=severity,
        tags=frozenset(values["tags"]),
        secret=_secret(own["secret"], (*keys, "secret"), site),
        command=_command(own["command"], (*keys, "command"), site),
        timeout_s=own["timeout"] or _TIMEOUT_S,
        mail=_mail(own, keys, site) if kind == "email" else None,
    )


def _check_keys(kind: str, values: _Values, keys: Keys, site: Site) -> set[str]:
    """Report what this kind must have and has not, and what it has and knows not; give the rest."""
    needs = _NEEDS[kind]
    known = needs.keys() | _MAY.get(kind, set())
    who = f"{'an' if kind[0] in 'ae' else 'a'} {kind} channel"
    for key, what in needs.items():
        if values[key] is None and site.sheet.sound((*keys, key)):
            site.sheet.problem((*keys, key), f"missing: {who} needs {what}")
    for key in _OWN:
        if values[key] is not None and key not in known:
            site.sheet.problem((*keys, key), f"{who} has no {key}")
    return known


def _url(kind: str, named: Secret | None, keys: Keys, site: Site) -> Secret | None:
    if kind == "apprise" and importlib.util.find_spec("apprise") is None:
        sentence = "apprise is not installed; try: pip install 'cronverifyd[apprise]'"
        site.sheet.warning(keys, sentence)
    if named is None:
        return None
    url, value = site.secret(named, keys)
    if value is not None and kind != "apprise" and not is_http_url(value):
        site.sheet.problem(keys, "must be an http:// or https:// URL (what is there is not)")
    return url


def _secret(named: Secret | None, keys: Keys, site: Site) -> Secret | None:
    return named and site.secret(named, keys)[0]


def _command(written: tuple[str, ...] | None, keys: Keys, site: Site) -> tuple[str, ...]:
    """Find the program: a relative path starts from the file's folder, a bare name in PATH."""
    if not written:
        return ()
    program, *arguments = written
    if "/" in program:
        program = str(site.folder / program)
    if shutil.which(program, path=site.environ.get("PATH", os.defpath)) is None:
        site.sheet.warning(keys, f"there is no program {program} that this user may run")
    return (program, *arguments)


def _mail(values: _Values, keys: Keys, site: Site) -> Mail | None:
    if values["server"] is None and site.sheet.sound((*keys, "server")):
        _check_sendmail(values, keys, site)
    mail = Mail(
        to=values["to"] or (),
        sender=values["from"] or "",
        server=values["server"],
        tls=_tls(values, keys, site),
        username=values["username"],
        password=_secret(values["password"], (*keys, "password"), site),
    )
    for key, other in (("username", "password"), ("password", "username")):
        missing = values[other] is None and site.sheet.sound((*keys, other))
        if values[key] is not None and missing:
            site.sheet.problem((*keys, key), f"needs a {other} as well")
    return mail


def _check_sendmail(values: _Values, keys: Keys, site: Site) -> None:
    """Without a server, the host's sendmail takes the mail, and what is about a server is wrong."""
    for key in ("tls", "username", "password"):
        if values[key] is not None:
            site.sheet.problem((*keys, key), "needs a server as well")
    if shutil.which(_SENDMAIL) is None:
        sentence = f"no server is named, and there is no {_SENDMAIL} on this host"
        site.sheet.warning(keys, sentence)


def _tls(values: _Values, keys: Keys, site: Site) -> Tls:
    """Find how to speak to the server: as written, else as its port is known for.

    Nothing goes out in the open that was not asked for, and a password never does.
    """
    if values["server"] is None:
        return Tls.NONE
    host, port = values["server"]
    known = {_SMTPS: Tls.TLS, _SUBMISSION: Tls.STARTTLS}
    tls = values["tls"] or known.get(port, Tls.NONE)
    if tls is not Tls.NONE or is_loopback(host) or not site.sheet.sound((*keys, "tls")):
        return Tls(tls)
    if values["tls"] is None:
        sentence = f'missing: for port {port}, say "starttls", "tls" or "none"'
        site.sheet.problem((*keys, "tls"), sentence)
    elif values["password"] is not None:
        sentence = 'must not be "none": the password would go over the network unencrypted'
        site.sheet.problem((*keys, "tls"), sentence)
    return Tls.NONE
