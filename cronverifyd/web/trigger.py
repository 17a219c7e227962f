"""The trigger listener: `POST /verify` and `GET /healthz`, and nothing else.

A trigger says "look now". It can say nothing of a job's success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from cronverifyd.cue.delivery import parse
from cronverifyd.web.answer import answer
from cronverifyd.web.app import new_app, refusal, reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cronverifyd.model import Port
    from cronverifyd.web.doors import Doors


def create_app(port: Port, doors: Doors, clock: Callable[[], datetime]) -> Flask:
    """Make the application. `clock` gives the aware UTC instant at which a request is judged."""
    app = new_app(__name__)

    @app.post("/verify", provide_automatic_options=False)
    def verify() -> Response:
        """Check the size (413), the door (401), the media type (415), the body (400); then ask."""
        body = request.get_data(cache=False)
        if not doors.admits(request.headers, body, clock()):
            return refusal(401, "no valid signature and no valid secret")
        if body and not request.is_json:
            raise UnsupportedMediaType
        return reply(200, answer(port.ask(parse(body))))

    @app.get("/healthz", provide_automatic_options=False)
    def healthz() -> Response:
        """Say whether the main loop turns."""
        alive = port.alive()
        return reply(200 if alive else 503, {"ok": alive})

    return app
