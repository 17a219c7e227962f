"""What all our Flask applications share: answers in JSON, errors included."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from cronverifyd.cue.delivery import MalformedError
from cronverifyd.errors import CronverifydError, UnavailableError, UnknownJobError
from cronverifyd.web.limits import BODY_BYTES

_RETRY_AFTER_S = "5"


def new_app(import_name: str) -> Flask:
    """Make an application that answers every error in JSON and reads bodies up to 64 KiB.

    Errors that nobody expected are logged by Flask, and answered with 500 and no word of theirs,
    whatever FLASK_DEBUG says.
    """
    app = Flask(import_name, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES, PROPAGATE_EXCEPTIONS=False)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(MalformedError, lambda error: _refusal(400, error))
    app.register_error_handler(UnknownJobError, lambda error: _refusal(404, error))
    app.register_error_handler(CronverifydError, lambda error: _refusal(409, error))
    app.register_error_handler(UnavailableError, _unavailable)
    return app


def reply(status: int, document: dict[str, Any]) -> Response:
    """Answer with one JSON document on a line of its own."""
    return Response(json.dumps(document) + "\n", status, mimetype="application/json")


def refusal(status: int, error: str) -> Response:
    """Answer that it was not done, and why."""
    return reply(status, {"success": False, "error": error})


def _refusal(status: int, error: CronverifydError) -> Response:
    return refusal(status, str(error))


def _unavailable(error: UnavailableError) -> Response:
    response = refusal(503, str(error))
    response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


def _http_error(error: HTTPException) -> Response:
    """Keep the status and the headers, such as `Allow`; replace the page."""
    response = refusal(error.code or 500, error.name.lower())
    response.headers.extend(
        (name, value) for name, value in error.get_headers() if name != "Content-Type"
    )
    return response
