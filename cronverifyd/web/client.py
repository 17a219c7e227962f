"""Ask the daemon through its control socket."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

from cronverifyd.errors import StateError
from cronverifyd.web.sockets import connect_unix

if TYPE_CHECKING:
    from pathlib import Path

_NOT_RUNNING = "start it: cronverifyd run, or systemctl start cronverifyd"


class _Connection(http.client.HTTPConnection):
    """HTTP through a socket file."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost")
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        """Connect to the file instead of the host."""
        self.sock = connect_unix(self._path, self._timeout_s)


def ask_daemon(
    socket_path: Path, path: str, payload: dict[str, Any], timeout_s: float
) -> tuple[int, dict[str, Any]]:
    """POST `payload` to `path`; give the status and the answer.

    Raises StateError where no daemon listens, or none answers: each wait lasts `timeout_s` at most.
    """
    connection = _Connection(socket_path, timeout_s)
    try:
        connection.request("POST", path, json.dumps(payload))
        response = connection.getresponse()
        return response.status, _document(response.read())
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise StateError(f"no daemon listens on {socket_path}", remedy=_NOT_RUNNING) from error
    except PermissionError as error:
        raise StateError(
            f"{socket_path}: {error.strerror}", remedy="be root or the owner of the state folder"
        ) from error
    except TimeoutError as error:
        raise StateError(f"the daemon gave no answer within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StateError(f"the daemon's answer broke off ({type(error).__name__})") from error
    finally:
        connection.close()


def _document(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 (a bad answer, as bad JSON is)
    return document
