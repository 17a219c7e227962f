"""The pages of the status listener, for people. Text from jobs is inert in all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request
from markupsafe import Markup

from cronverifyd.errors import StateError, UnknownJobError
from cronverifyd.judge.duration import format_duration
from cronverifyd.judge.size import format_size
from cronverifyd.report import documents, words
from cronverifyd.report.evidence import why
from cronverifyd.tell.text import last_lines, one_line, plain
from cronverifyd.web.chart import RUNS, chart
from cronverifyd.web.overview import STRIP, overview

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from cronverifyd.errors import CronverifydError
    from cronverifyd.web.desk import Desk

_MOST_WANTED = 100
_REASON_CHARACTERS = 400
_OUTPUT_LINES = 400
_OUTPUT_CHARACTERS = 16_384
_ELSEWHERE = frozenset({"output", "runbook"})
"""Kinds of evidence that the page shows in a place of their own."""


@dataclass(frozen=True, slots=True)
class Pages:
    """One method a page; each is a view of the application."""

    desk: Desk

    def home(self) -> str:
        """Show every job."""
        wanted = request.args.get("q", "")[:_MOST_WANTED].strip()
        scope, now = self.desk.scope, self.desk.clock()
        with self.desk.look() as reader:
            page = overview(
                documents.status(scope, reader, now),
                lambda job: reader.strip(job, STRIP),
                alive=self.desk.alive(),
                wanted=wanted,
            )
        return render_template("home.html", page=page, wanted=wanted)

    def job(self, name: str) -> str:
        """Show one job: why it stands as it does, and how it stood before."""
        job, now = self.desk.job(name), self.desk.clock()
        with self.desk.look() as reader:
            found = why(job, reader, now)
            slots = documents.history(job, reader, RUNS)["slots"]
            status = self.desk.status_of(job, reader, now)
            page = overview(status, lambda name: reader.strip(name, STRIP), alive=self.desk.alive())
        return render_template(
            "job.html",
            page=page,
            job=job,
            row=next((row for _, rows in page.groups for row in rows), None),
            verdict=found["verdict"],
            reason=found["reason"],
            evidence=[piece for piece in found["evidence"] if piece["kind"] not in _ELSEWHERE],
            chart=chart(slots, job.max_duration_s),
            runs=[row for slot in slots for row in _runs(slot)],
            output=_output(slots),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """One run of a slot, or a slot without one. `first`: it is the first row of its slot."""

    first: bool
    slot: str
    iso: str
    verdict: str
    reason: str
    started: str
    took: str
    status: str
    ended_by: str
    cpu: str
    memory: str


def _runs(slot: dict[str, Any]) -> Iterator[RunRow]:
    """Make a row for each run of a slot; for a slot without a run, one as well."""
    at = datetime.fromisoformat(slot["slot"])
    notes = [slot["reason"]]
    notes += ["found late"] * slot["found_late"] + ["in maintenance"] * slot["quiet"]
    for index, run in enumerate(slot["runs"] or [{}]):
        yield RunRow(
            first=index == 0,
            slot=words.slot(slot["slot"]),
            iso=slot["slot"],
            verdict=slot["verdict"],
            reason=one_line("; ".join(notes), _REASON_CHARACTERS),
            started=words.instant(run["started_at"], at) if run.get("started_at") else "",
            took=_duration(run.get("duration_s")),
            status=one_line(run.get("status") or "", 40),
            ended_by=_ended_by(run),
            cpu=_duration(run.get("cpu_s")),
            memory=format_size(run["max_rss_kb"] * 1024) if run.get("max_rss_kb") else "",
        )


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else format_duration(seconds)


def _ended_by(run: dict[str, Any]) -> str:
    if run.get("signal"):
        return one_line(run["signal"], 12)
    return "" if run.get("exit_code") is None else str(run["exit_code"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """The last words of a job. `text` is plain; `of`: which run's, and how much of it there was."""

    text: str
    of: str


def _output(slots: list[dict[str, Any]]) -> Output | None:
    """Find the newest output that was kept; None: there is none."""
    for slot in slots:
        for run in slot["runs"]:
            if run["output_tail"]:
                text = last_lines(run["output_tail"], _OUTPUT_LINES, _OUTPUT_CHARACTERS)
                whole, kept = run["output_bytes"] or 0, len(run["output_tail"].encode())
                size = f", the end of {format_size(whole)}" if whole > kept else ""
                return Output(text=text, of=f"run of {words.slot(slot['slot'])}{size}")
    return None


def register(app: Flask, desk: Desk) -> None:
    """Add the pages to the application."""
    pages, blueprint = Pages(desk), Blueprint("pages", __name__)
    for rule, view in (("/", pages.home), ("/jobs/<name>", pages.job)):
        blueprint.add_url_rule(rule, view_func=view, provide_automatic_options=False)
    blueprint.register_error_handler(UnknownJobError, lambda error: _sorry(404, error))
    blueprint.register_error_handler(StateError, lambda error: _sorry(503, error))
    app.register_blueprint(blueprint)
    app.jinja_options = {**app.jinja_options, "finalize": _inert, "trim_blocks": True}
    app.jinja_env.filters.update(duration=format_duration, one_line=one_line)


def _sorry(status: int, error: CronverifydError) -> tuple[str, int]:
    return render_template("sorry.html", error=error), status


def _inert(value: Any) -> Any:
    """Take out what a terminal or a bidi renderer would obey; Jinja then escapes what is HTML.

    It sees the value of every expression in every template, so that none can be forgotten.
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value  # printable: no control, no format character, no surrogate
    return plain(value)
