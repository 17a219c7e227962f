"""What programs ask the status listener: JSON, metrics, badges and readiness."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from flask import Response, render_template, request

from cronverifyd.cue.delivery import MalformedError
from cronverifyd.errors import StateError, UnknownJobError
from cronverifyd.report import documents
from cronverifyd.report.evidence import why
from cronverifyd.report.outbox import alerts
from cronverifyd.report.upcoming import upcoming
from cronverifyd.web import metrics
from cronverifyd.web.app import reply
from cronverifyd.web.badge import badge

if TYPE_CHECKING:
    from cronverifyd.model import Job
    from cronverifyd.web.desk import Desk

_MOST_ROWS = 1_000
_FLAGS = {"": True, "1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class Api:
    """One method a question; each is a view of the application."""

    desk: Desk

    def api_status(self) -> Response:
        """Describe every job: the document of `status --json`."""
        with self.desk.look() as reader:
            return reply(200, documents.status(self.desk.scope, reader, self.desk.clock()))

    def api_job(self, name: str) -> Response:
        """Describe one job: the documents of `why --json` and of `history --json` in one."""
        job, count = self.desk.job(name), _rows(20)
        with self.desk.look() as reader:
            evidence = why(job, reader, self.desk.clock())
            return reply(200, evidence | documents.history(job, reader, count))

    def api_next(self) -> Response:
        """Describe the slots to come: of all jobs, or of each `job=` that is named."""
        named = [self.desk.job(name) for name in dict.fromkeys(request.args.getlist("job"))]
        jobs = named or self.desk.scope.jobs.values()
        return reply(200, upcoming(jobs, self.desk.clock(), _rows(20)))

    def api_alerts(self) -> Response:
        """Describe the newest messages: the document of `alerts --json`."""
        count, undelivered = _rows(50), _flag("undelivered")
        with self.desk.look() as reader:
            return reply(200, alerts(reader, count, undelivered=undelivered))

    def metrics(self) -> Response:
        """Tell Prometheus, in the format that it prefers."""
        now, scope = self.desk.clock(), self.desk.scope
        with self.desk.look() as reader:
            status = documents.status(scope, reader, now)
            ready = not self.desk.unproven(reader, now)
            families = metrics.families(status, scope.channels, reader, ready=ready)
        text, content_type = metrics.text_of(families, _metrics_format())
        return Response(text, content_type=content_type)

    def badge(self, name: str) -> Response:
        """Draw a job's verdict; of a job that nobody knows, with status 404."""
        try:
            status, word = 200, self._word(self.desk.job(name))
        except UnknownJobError:
            name, status, word = "cronverifyd", 404, "unknown job"
        except StateError:
            status, word = 503, "unverified"
        svg = render_template("badge.svg", badge=badge(name, word))
        response = Response(svg, status, mimetype="image/svg+xml")
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    def _word(self, job: Job) -> str:
        """Say how a job stands; a verdict says nothing if nobody has checked since."""
        if not job.enabled:
            return "disabled"
        with self.desk.look() as reader:
            status = self.desk.status_of(job, reader, self.desk.clock())
        return "unverified" if status["unverified"] else str(status["jobs"][0]["verdict"])

    def readyz(self) -> Response:
        """Say whether the whole chain is proven, and if not, why."""
        try:
            with self.desk.look() as reader:
                reasons = self.desk.unproven(reader, self.desk.clock())
        except StateError as error:
            reasons = [str(error)]
        return reply(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})


def _metrics_format() -> str:
    """Choose what is asked for first; whichever version is asked for, there is one of each."""
    for asked, _ in sorted(request.accept_mimetypes, key=itemgetter(1), reverse=True):
        essence = asked.partition(";")[0]
        if essence in {metrics.OPEN_METRICS, metrics.PLAIN}:
            return essence
    return metrics.PLAIN


def _rows(default: int) -> int:
    """Read `n=`. Raises MalformedError."""
    text = request.args.get("n", str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 0 < int(text) <= _MOST_ROWS):
        raise MalformedError(f"n must be 1 to {_MOST_ROWS}")
    return int(text)


def _flag(name: str) -> bool:
    """Read a parameter that is there or not. Raises MalformedError."""
    text = request.args.get(name, "0")
    if text not in _FLAGS:
        raise MalformedError(f"{name} must be 1 or 0")
    return _FLAGS[text]
