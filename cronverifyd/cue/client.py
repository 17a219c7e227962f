"""CueAPI over HTTP: one method a call.

An error is decided by its status; what the service says beside it is shown, cut and without the
key. Nothing is tried again here but what was answered 429, after as long as it asked for, and that
only where the caller gave a way to wait: a 500 may come after the deed.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from cronverifyd.errors import ConfigError, CronverifydError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cronverifyd.cue.plan import Cue

TIMEOUTS_S = (3.05, 10.0)
"""To connect (a little more than TCP's 3 s retransmission), and between two reads."""

WHOLE_S = 60.0
"""For the body of an answer, however often a piece of it comes."""

_ANSWER_BYTES = 4 * 1024 * 1024
_PAGE = 100
_PAGES = 1_000
_LONGEST_WAIT_S = 120.0
_WAITS = 5
_SAID_CHARACTERS = 300
_LOOPBACK = ("127.", "localhost", "::1")


class CueError(CronverifydError):
    """The service refused a request. `status`: its HTTP status; `code`: its own word, or None."""

    def __init__(self, what: str, *, status: int, code: str | None, remedy: str | None) -> None:
        super().__init__(what, remedy=remedy)
        self.status = status
        self.code = code


class ThrottledError(StateError):
    """Too many requests (429). `retry_after_s`: how long the service asked to wait."""

    def __init__(self, what: str, *, retry_after_s: float) -> None:
        super().__init__(what, remedy=f"wait {retry_after_s:g} s, then again")
        self.retry_after_s = retry_after_s


class UnsureError(StateError):
    """There was no answer, or a 5xx one: what was asked for may have been done or not."""


class KeyRefusedError(ConfigError):
    """The service does not know the API key."""


class _Bearer(AuthBase):
    """Without an auth of its own a session would take one from ~/.netrc, instead of our header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _Session(requests.Session):
    """A session that neither follows nor reads redirects: requests raises at a bad `Location`."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none."""


class CueApi:
    """One account. Not for several threads at once.

    `wait`: called with seconds when the service asks to come back later; None: a ThrottledError is
    raised at once. All methods raise CueError (a 4xx answer), KeyRefusedError (401), ThrottledError
    (429) or UnsureError (5xx, no answer, or one that cannot be read).
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        wait: Callable[[float], None] | None = None,
        timeouts_s: tuple[float, float] = TIMEOUTS_S,
        whole_s: float = WHOLE_S,
    ) -> None:
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise KeyRefusedError("the API key has characters that no key has")
        self._base_url = base_url.rstrip("/")
        self._host = urlsplit(base_url).hostname or base_url
        self._key = key
        self._wait = wait
        self._timeouts_s = timeouts_s
        self._whole_s = whole_s
        self._session = _Session()
        self._session.auth = _Bearer(key)
        self._session.trust_env = not self._host.startswith(_LOOPBACK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def cues(self) -> list[Cue]:
        """List all cues of the account, each once, page by page."""
        found: dict[str, Cue] = {}
        for page in range(_PAGES):
            offset = page * _PAGE
            answer = self._ask("GET", "/v1/cues", query={"limit": _PAGE, "offset": offset})
            cues = self._listed(answer, "cues")
            found |= {str(cue.get("id")): cue for cue in cues}
            if len(cues) < _PAGE:
                break
        return list(found.values())

    def create(self, body: Mapping[str, Any]) -> Cue:
        """Make a cue. CueError 409: the name is taken; 403: the plan has no room."""
        return self._ask("POST", "/v1/cues", body)

    def patch(self, cue: str, groups: Mapping[str, Any]) -> Cue:
        """Change groups of a cue, each whole."""
        return self._ask("PATCH", f"/v1/cues/{_part(cue)}", groups)

    def delete(self, cue: str) -> None:
        """Delete a cue; one that is not there any more is as good."""
        try:
            self._ask("DELETE", f"/v1/cues/{_part(cue)}")
        except CueError as error:
            if error.status != 404:
                raise

    def fire(self, cue: str) -> str:
        """Fire a cue now; give the id of the execution."""
        return str(self._ask("POST", f"/v1/cues/{_part(cue)}/fire", {}).get("id"))

    def usage(self) -> Mapping[str, Any]:
        """Give what the account has used of its plan, as the service writes it."""
        return self._ask("GET", "/v1/usage")

    def webhook_secret(self) -> str:
        """Give the secret that deliveries are signed with."""
        secret = self._ask("GET", "/v1/auth/webhook-secret").get("webhook_secret")
        if not isinstance(secret, str) or not secret:
            raise UnsureError(f"{self._host} answered without a webhook secret")
        return secret

    def report_outcome(self, execution: str, outcome: Mapping[str, Any]) -> bool:
        """Report what came of an execution; False: an outcome is there already (409)."""
        try:
            self._ask("POST", f"/v1/executions/{_part(execution)}/outcome", outcome)
        except CueError as error:
            if error.status != 409:
                raise
            return False
        return True

    def claimable(self, task: str) -> list[Mapping[str, Any]]:
        """List the executions that workers of a task may claim, the oldest first."""
        answer = self._ask("GET", "/v1/executions/claimable", query={"task": task})
        return self._listed(answer, "executions")

    def claim(self, execution: str, worker: str) -> bool:
        """Claim an execution; False: another worker has it, or it is over (404, 409)."""
        try:
            self._ask("POST", f"/v1/executions/{_part(execution)}/claim", {"worker_id": worker})
        except CueError as error:
            if error.status not in {404, 409}:
                raise
            return False
        return True

    def heartbeat(self, worker: str, handlers: list[str]) -> None:
        """Say that a worker lives, and which tasks it claims."""
        self._ask("POST", "/v1/worker/heartbeat", {"worker_id": worker, "handlers": handlers})

    # ---- requests ---------------------------------------------------------------------------

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Ask once; where the service asks to wait, and there is a way to, again."""
        waits = 0
        while True:
            try:
                return self._ask_once(method, path, body, query)
            except ThrottledError as error:
                waits += 1
                if self._wait is None or waits > _WAITS or error.retry_after_s > _LONGEST_WAIT_S:
                    raise
                self._wait(error.retry_after_s)

    def _ask_once(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        headers = {"User-Agent": "cronverifyd", "Accept-Encoding": "identity"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            with self._session.request(
                method,
                self._base_url + path,
                params=query,
                data=data,
                headers=headers,
                timeout=self._timeouts_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._content(response)
        except (OSError, HTTPError) as error:
            # The libraries' own words may bear more than the host's name.
            raise UnsureError(
                f"{self._host} gave no answer ({type(error).__name__})",
                remedy=f"see whether this host reaches {self._base_url}",
            ) from None
        return self._judged(response, content)

    def _content(self, response: requests.Response) -> bytes:
        """Read an answer that is neither too long nor too slow."""
        content, until = b"", time.monotonic() + self._whole_s
        # read1 gives what is there; iter_content would wait until a whole block has dripped in.
        while block := response.raw.read1(65_536, decode_content=True):
            content += block
            if len(content) > _ANSWER_BYTES or time.monotonic() > until:
                raise UnsureError(f"{self._host} answered more than can be read")
        return content

    def _judged(self, response: requests.Response, content: bytes) -> dict[str, Any]:
        status = response.status_code
        document = _parsed(content)
        if 200 <= status < 300:
            if status != 204 and not isinstance(document, dict):
                raise UnsureError(f"{self._host} answered {status} with what is no JSON object")
            return document if isinstance(document, dict) else {}
        code, said = _error(document, content)
        what = f"{self._host} answered {status}: {self._clean(said)}".rstrip(": ")
        if status == 429:
            raise ThrottledError(what, retry_after_s=_retry_after_s(response.headers))
        if status >= 500:
            raise UnsureError(what, remedy="try again later")
        if status == 401:
            raise KeyRefusedError(what, remedy="set cueapi.api_key to a key that is in force")
        remedy = _remedy(status, code, self._base_url)
        raise CueError(what, status=status, code=code, remedy=remedy)

    def _clean(self, text: str) -> str:
        """Make the service's words fit to be shown: one line, cut, without the key."""
        flat = " ".join(text.replace(self._key, "[redacted]").split())
        shown = "".join(char for char in flat if char.isprintable())
        return shown if len(shown) <= _SAID_CHARACTERS else shown[:_SAID_CHARACTERS] + "…"

    def _listed(self, answer: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        found = answer.get(key)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise UnsureError(f'{self._host} answered without a list of "{key}"')
        return found


def _part(text: str) -> str:
    return quote(text, safe="")


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _error(document: Any, content: bytes) -> tuple[str | None, str]:
    """Find code and message: the service's `error`, else FastAPI's `detail`, else the text."""
    if isinstance(document, dict):
        error = document.get("error")
        if isinstance(error, dict):
            code, details = error.get("code"), error.get("details")
            more = f" ({json.dumps(details)})" if details else ""
            return str(code) if code else None, f"{error.get('message') or code or ''}{more}"
        detail = document.get("detail", error)
        if detail:
            return None, detail if isinstance(detail, str) else json.dumps(detail)
    return None, content[: 4 * _SAID_CHARACTERS].decode("utf-8", "replace")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Read how many seconds `Retry-After` asks for; without a number, the service's own minute."""
    text = headers.get("Retry-After", "").strip()
    return max(1.0, float(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 60.0


def _remedy(status: int, code: str | None, base_url: str) -> str | None:
    if code == "cue_limit_exceeded":
        return "delete cues that nobody needs, or take a larger plan"
    if status in {301, 302, 307, 308, 404, 405}:
        return f"see whether cueapi.base_url is right ({base_url})"
    return None
