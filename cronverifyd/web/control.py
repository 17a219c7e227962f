"""The control socket's application: what the command line asks of a daemon that runs.

The socket's file mode is its guard; there is no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from flask import Flask, Response, request

from cronverifyd.cue.delivery import MalformedError
from cronverifyd.model import TriggeredBy, Verify
from cronverifyd.web.answer import answer
from cronverifyd.web.app import new_app, reply

if TYPE_CHECKING:
    from cronverifyd.model import Port


class _Check(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /check`. `jobs` None: all of them."""

    jobs: Annotated[list[str], msgspec.Meta(min_length=1)] | None


def create_app(port: Port) -> Flask:
    """Make the application: `POST /check`, answered as `POST /verify` is."""
    app = new_app(__name__)

    @app.post("/check", provide_automatic_options=False)
    def check() -> Response:
        return reply(200, answer(port.ask(_asked(request.get_data(cache=False)))))

    return app


def _asked(body: bytes) -> Verify:
    try:
        jobs = msgspec.json.decode(body, type=_Check).jobs
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"cannot read the request: {error}") from error
    return Verify(jobs=None if jobs is None else tuple(jobs), triggered_by=TriggeredBy.CHECK)
