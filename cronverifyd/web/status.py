"""The status listener: how the jobs stand, for people, programs and Prometheus.

It only reads. Each request opens the database for one look and closes it at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound

from cronverifyd.errors import StateError
from cronverifyd.web import page
from cronverifyd.web.api import Api
from cronverifyd.web.app import new_app, refusal
from cronverifyd.web.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cronverifyd.scope import Scope
    from cronverifyd.web.desk import Reasons

_STATIC = Path(__file__).parent / "static"
_KINDS = {
    "page.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    **{f"{level}.svg": "image/svg+xml" for level in ("well", "warning", "bad")},
}
_RETRY_AFTER_S = "5"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app(
    scope: Scope,
    clock: Callable[[], datetime],
    alive: Callable[[], bool],
    reasons: Reasons,
) -> Flask:
    """Make the application.

    `clock` gives the aware UTC instant at which a request is answered. `alive` says whether the
    main loop turns. `reasons` says why the chain is not proven; nothing: it is.
    """
    app = new_app(__name__)
    desk = Desk(scope=scope, clock=clock, alive=alive, reasons=reasons)
    api = Api(desk)
    for rule, view in (
        ("/api/v1/status", api.api_status),
        ("/api/v1/jobs/<name>", api.api_job),
        ("/api/v1/next", api.api_next),
        ("/api/v1/alerts", api.api_alerts),
        ("/badge/<name>.svg", api.badge),
        ("/metrics", api.metrics),
        ("/readyz", api.readyz),
        ("/static/<name>", _static),
    ):
        app.add_url_rule(rule, view_func=view, provide_automatic_options=False)
    page.register(app, desk)
    app.register_error_handler(StateError, _unreadable)
    app.after_request(_guard)
    return app


def _static(name: str) -> Response:
    """Give one of our own files; one that the browser has already is not sent again."""
    if name not in _KINDS:
        raise NotFound
    response = Response((_STATIC / name).read_bytes(), content_type=_KINDS[name])
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _guard(response: Response) -> Response:
    """Let no answer load, run, frame or store what is not ours."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _unreadable(error: StateError) -> Response:
    response = refusal(503, str(error))
    response.headers["Retry-After"] = _RETRY_AFTER_S
    return response
