"""The control socket's application: what the command line asks of a daemon that runs.

The socket's file mode is its guard; there is no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from flask import Flask, Response, request

from cronverifyd.cue.delivery import MalformedError
from cronverifyd.model import Acknowledge, Drill, Silence, TriggeredBy, Unsilence, Verify
from cronverifyd.web.answer import acknowledged, answer, silenced
from cronverifyd.web.app import new_app, reply

if TYPE_CHECKING:
    from cronverifyd.model import Port


_Word = Annotated[str, msgspec.Meta(max_length=200)]
_Names = Annotated[list[str], msgspec.Meta(min_length=1)]


class _Check(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /check`. `jobs` None: all of them."""

    jobs: _Names | None


class _Ack(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /ack`. `names`: of jobs or incidents."""

    names: _Names
    who: _Word = ""


class _Mute(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /mute`. `job` None: everything."""

    job: str | None
    for_s: float
    who: _Word = ""
    reason: _Word = ""


class _Unmute(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /unmute`. `job` None: everything."""

    job: str | None
    who: _Word = ""


class _Drill(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /drill`. `run`: the id of the run to come."""

    run: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


_Body = TypeVar("_Body", bound=msgspec.Struct)


def create_app(port: Port) -> Flask:
    """Make the application: a POST a command."""
    app = new_app(__name__)

    @app.post("/check", provide_automatic_options=False)
    def check() -> Response:
        """Answer as `POST /verify` does."""
        jobs = _read(_Check).jobs
        asked = Verify(jobs=None if jobs is None else tuple(jobs), triggered_by=TriggeredBy.CHECK)
        return reply(200, answer(port.ask(asked)))

    @app.post("/ack", provide_automatic_options=False)
    def ack() -> Response:
        body = _read(_Ack)
        return reply(
            200, acknowledged(port.ask(Acknowledge(names=tuple(body.names), who=body.who)))
        )

    @app.post("/mute", provide_automatic_options=False)
    def mute() -> Response:
        body = _read(_Mute)
        asked = Silence(job=body.job, for_s=body.for_s, who=body.who, reason=body.reason)
        return reply(200, silenced(port.ask(asked)))

    @app.post("/unmute", provide_automatic_options=False)
    def unmute() -> Response:
        body = _read(_Unmute)
        return reply(200, silenced(port.ask(Unsilence(job=body.job, who=body.who))))

    @app.post("/drill", provide_automatic_options=False)
    def drill() -> Response:
        drilled = port.ask(Drill(run=_read(_Drill).run))
        return reply(200, {"channels": list(drilled.channels)})

    return app


def _read(shape: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(request.get_data(cache=False), type=shape)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"cannot read the request: {error}") from error
