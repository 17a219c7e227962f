"""Post a message to a web address that is a secret, and say what came of it."""

from __future__ import annotations

import ipaddress
import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import requests
from urllib3.exceptions import HTTPError

from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.tell.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# To connect (a little more than TCP's 3 s retransmission, as requests advises), and between two
# reads.
TIMEOUTS_S = (3.05, 10.0)

# Slack answers with a word such as `ok` or `invalid_payload`; others with a page.
_ANSWER_BYTES = 1_024
_ANSWER_CHARACTERS = 80

_JSON = {"Content-Type": "application/json", "User-Agent": "cronverifyd"}

# Request Timeout, Too Early, Too Many Requests (RFC 9110, 15.5.9; 8470; 6585): later, perhaps.
_LATER = frozenset({408, 425, 429})

# Tries go on for 24 hours; a channel cannot put one off beyond that.
_LONGEST_WAIT_S = 86_400.0


class Session(requests.Session):
    """A session that neither follows nor reads redirects.

    With `allow_redirects=False` alone, requests still parses `Location` and raises ValueError at a
    bad one.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none."""


class Postbox:
    """One web address. It is a secret: no Delivery bears more of it than the host's name."""

    def __init__(
        self, url: str, session: Callable[[], requests.Session], timeouts_s: tuple[float, float]
    ) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or ""
        self._session = session
        self._timeouts_s = timeouts_s

    def post(self, body: Mapping[str, Any]) -> Delivery:
        """Send an object as JSON and say what came of it; raise nothing."""
        return self.post_bytes(json.dumps(body).encode(), {})

    def post_bytes(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Send JSON as it was written and say what came of it; raise nothing.

        A connection a message: the far end closes idle ones, and messages are rare. The
        environment's proxies and CA bundle serve all hosts but this one, which no proxy reaches.
        """
        return self._send("POST", body, {**_JSON, **headers})

    def get(self) -> Delivery:
        """Ask for the address, as a browser does, and say what came of it; raise nothing."""
        return self._send("GET", None, {"User-Agent": _JSON["User-Agent"]})

    def _send(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Delivery:
        try:
            with self._session() as session:
                session.trust_env = not is_loopback(self._host)
                return self._sent(session, method, body, headers)
        except (OSError, HTTPError) as error:
            return self._failed(error)

    def _sent(
        self,
        session: requests.Session,
        method: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Delivery:
        with session.request(
            method,
            self._url,
            data=body,
            headers=headers,
            timeout=self._timeouts_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            return self._delivery(response)

    def _delivery(self, response: requests.Response) -> Delivery:
        status, word = response.status_code, self._word(response)
        if 200 <= status < 300:
            return Delivery(result=DeliveryResult.SENT, receipt=word)
        error = f"{self._host} answered {status} {word}".rstrip()
        if status in _LATER or status >= 500:
            wait_s = retry_after(response.headers)
            return Delivery(result=DeliveryResult.RETRY, error=error, retry_after_s=wait_s)
        return Delivery(result=DeliveryResult.REFUSED, error=error)

    def _word(self, response: requests.Response) -> str:
        """Read the beginning of the answer; the status holds even where the answer breaks off."""
        try:
            first: bytes = next(response.iter_content(_ANSWER_BYTES), b"")
        except requests.RequestException:
            return ""
        return one_line(self._without_secret(first.decode("utf-8", "replace")), _ANSWER_CHARACTERS)

    def _without_secret(self, text: str) -> str:
        """Take the address out of a page such as "/services/… was not found"."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            if len(secret) > 1:
                text = text.replace(secret, "[redacted]")
        return text

    def _secrets(self) -> set[str]:
        """Give the address and those of its parts that alone would open it."""
        parts = urlsplit(self._url)
        named = {self._url, parts.path, parts.path.rpartition("/")[2], parts.query}
        signed_in = {parts.username or "", parts.password or ""}
        return named | signed_in | {value for _, value in parse_qsl(parts.query)}

    def _failed(self, error: Exception) -> Delivery:
        """Name the kind of error: the libraries put the whole address into their own words."""
        kind = type(error).__name__
        if isinstance(error, ValueError):  # InvalidURL, InvalidSchema …: no later try helps
            return Delivery(result=DeliveryResult.REFUSED, error=f"the URL cannot be used ({kind})")
        return out_of_reach(self._host, error)


def out_of_reach(host: str, error: BaseException) -> Delivery:
    """Say that a host could not be spoken to: the kind of error, and the system's words for it."""
    cause = next(_system_words(error), None)
    words = f"{type(error).__name__} at {host}"
    return Delivery(result=DeliveryResult.RETRY, error=f"{words}: {cause}" if cause else words)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Say how many seconds `Retry-After` asks for (RFC 9110, 10.2.3), or None.

    An HTTP date counts from the answer's own `Date`: the two clocks need not agree.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        until, date = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("Date", ""))
        return min(max((until - date).total_seconds(), 0.0), _LONGEST_WAIT_S)
    except (ValueError, TypeError):
        return None


def is_loopback(host: str) -> bool:
    """Say whether what goes to a host stays on this one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _system_words(error: BaseException) -> Iterator[str]:
    """Walk down the chain of causes to the system's own words, which bear no address."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError) and below.errno is not None and below.strerror:
            yield below.strerror
        elif isinstance(below, TimeoutError):
            yield "timed out"
        below = below.__cause__ or below.__context__
