"""The status listener's API: the documents of the command line, badges, readiness, nothing more."""

import contextlib
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import requests

from cronverifyd.cli.main import run
from cronverifyd.daemon import clock
from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.web.sockets import bind_tcp
from tests.builders import at, finished
from tests.cli.place import BACKUP
from tests.web.board import YESTERDAY, Board, failing, good
from tests.web.loop import serving

OTHERS = (
    '[jobs.often]\nschedule = "every 6h"\nmax_duration = "10m"\ngrace = "1m"\n'
    '[jobs.off]\nschedule = "0 4 * * *"\nenabled = false\n'
)
PATHS = ["/api/v1/status", "/api/v1/jobs/db-backup", "/api/v1/next", "/api/v1/alerts"]
PATHS += ["/metrics", "/readyz", "/badge/db-backup.svg", "/", "/jobs/db-backup"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def cli(capsys, monkeypatch):
    """Ask the command line at the instant of the board's clock."""

    def ask(board, *arguments):
        monkeypatch.setattr(clock, "read_clock", lambda: at(board.now))
        run([*arguments, "--json", "--config", str(board.place.config)])
        return json.loads(capsys.readouterr().out)

    return ask


# ---- documents ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/api/v1/status", ["status"]),
        ("/api/v1/next", ["next"]),
        ("/api/v1/next?n=3&job=db-backup", ["next", "-n", "3", "db-backup"]),
        ("/api/v1/alerts", ["alerts"]),
        ("/api/v1/alerts?undelivered=1&n=7", ["alerts", "--undelivered", "-n", "7"]),
    ],
)
def test_a_document_is_the_command_line_s(board, cli, path, arguments):
    failing(board)
    response = board.get(path)
    assert response.json == cli(board, *arguments)
    assert response.content_type == "application/json"


def test_a_job_s_document_is_why_and_history_in_one(board, cli):
    failing(board)
    document = board.get("/api/v1/jobs/db-backup?n=3").json
    assert document == cli(board, "why", "db-backup") | cli(
        board, "history", "db-backup", "-n", "3"
    )
    assert document["verdict"] == "failed"
    assert document["slots"][0]["runs"][0]["exit_code"] == 3


def test_the_messages_that_reached_somebody_are_not_among_the_undelivered(board):
    failing(board)
    assert len(board.get("/api/v1/alerts").json["alerts"]) == 1
    assert board.get("/api/v1/alerts?undelivered=0").json == board.get("/api/v1/alerts").json
    assert board.get("/api/v1/alerts?undelivered").json["alerts"] == []


def test_what_could_not_be_delivered_is(board):
    failing(board)
    board.look(
        "13:00",
        finished("12:59", run_id="r2"),
        delivery=Delivery(result=DeliveryResult.REFUSED, error="answered 404"),
    )
    (row,) = board.get("/api/v1/alerts?undelivered=true").json["alerts"]
    assert (row["kind"], row["state"], row["error"]) == ("recovered", "dead", "answered 404")


def test_the_clock_is_read_for_each_request(board):
    good(board)
    assert board.get("/api/v1/status").json["now"] == "2024-05-15T12:00:00+00:00"
    board.now = "12:30"
    assert board.get("/api/v1/status").json["now"] == "2024-05-15T12:30:00+00:00"


@pytest.mark.parametrize(
    "path", ["/api/v1/jobs/db-backu", "/api/v1/next?job=x", "/api/v1/jobs/%00"]
)
def test_a_job_that_nobody_knows_is_404(board, path):
    good(board)
    assert board.get(path, 404).json == {"success": False, "error": "no job is called so"}


@pytest.mark.parametrize("text", ["", "0", "-1", "1001", "x", "1.5", "٣", "9" * 5_000])
@pytest.mark.parametrize("path", ["/api/v1/next", "/api/v1/alerts", "/api/v1/jobs/db-backup"])
def test_a_number_of_rows_that_makes_no_sense_is_400(board, path, text):
    good(board)
    assert board.get(f"{path}?n={text}", 400).json["error"] == "n must be 1 to 1000"


def test_a_flag_that_is_neither_yes_nor_no_is_400(board):
    good(board)
    assert board.get("/api/v1/alerts?undelivered=maybe", 400).json["success"] is False


# ---- nothing but looks --------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(board, path):
    good(board)
    response = board.client.head(path)
    assert response.status_code == board.client.get(path).status_code
    assert response.data == b""
    assert int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", PATHS)
def test_every_other_method_is_405(board, path, method):
    good(board)
    response = board.client.open(path, method=method)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def open_files():
    """Name what this process has open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # iterdir's own is closed by now
            yield descriptor.readlink()


def test_nothing_is_written_and_nothing_stays_open(board):
    good(board)
    before = {path: path.read_bytes() for path in board.place.state.iterdir()}
    for path in PATHS:
        board.client.get(path)
    assert {path: path.read_bytes() for path in board.place.state.iterdir()} == before
    assert not [file for file in open_files() if file.is_relative_to(board.place.state)]


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/api/v1/jobs/x"])
def test_no_answer_may_load_frame_or_keep_anything(board, path):
    good(board)
    headers = board.client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_without_a_database_it_says_so_and_when_to_come_back(board):
    response = board.get("/api/v1/status", 503)
    assert response.headers["Retry-After"] == "5"
    assert "there is no database" in response.json["error"]
    board.get("/metrics", 503)


def test_it_can_be_served_for_real(board):
    good(board)
    with serving(board.app, bind_tcp("127.0.0.1", 0)) as server:
        response = requests.get(f"http://127.0.0.1:{server.port}/api/v1/status", timeout=10)
    assert response.json()["healthy"] is True


# ---- readiness ----------------------------------------------------------------------------------


def test_a_proven_chain_is_ready(board):
    good(board)
    assert board.get("/readyz").json == {"ready": True, "reasons": []}


def test_a_chain_that_is_not_proven_says_why(board):
    good(board)
    board.reasons = ["the channel ops took nothing for 3 d"]
    board.turns = False
    assert board.get("/readyz", 503).json == {
        "ready": False,
        "reasons": [
            "the main loop of the daemon does not turn",
            "the channel ops took nothing for 3 d",
        ],
    }


def test_a_chain_without_a_database_is_not_proven(board):
    (reason,) = board.get("/readyz", 503).json["reasons"]
    assert "there is no database" in reason


# ---- badges -------------------------------------------------------------------------------------


def words(response):
    """Read a badge's two texts; it has to be well-formed, and as wide as its boxes."""
    assert response.content_type.startswith("image/svg+xml")
    root = ET.fromstring(response.data)
    left, right = root.iter(f"{SVG}text")
    for text in (left, right):
        end = float(text.get("x")) + float(text.get("textLength"))
        assert end <= float(root.get("width"))
    assert root.get("aria-label") == f"{left.text}: {right.text}"
    return left.text, right.text


def test_a_badge_bears_name_and_verdict(board):
    failing(board)
    assert words(board.get("/badge/db-backup.svg")) == ("db-backup", "failed")


def test_good_and_bad_have_different_colours(board):
    failing(board)
    bad = board.get("/badge/db-backup.svg").text
    board.look("04:00", finished("03:50", run_id="r2"))
    well = board.get("/badge/db-backup.svg")
    assert words(well) == ("db-backup", "ok")
    assert bad.replace("failed", "ok") != well.text


def test_a_verdict_that_nobody_has_checked_since_is_not_shown(board):
    good(board)
    board.now = "2024-05-16T12:00:00+00:00"
    assert words(board.get("/badge/db-backup.svg")) == ("db-backup", "unverified")


def test_other_jobs_say_how_they_stand(tmp_path):
    board = Board(tmp_path, BACKUP + OTHERS)
    board.look("00:30")
    board.now = "00:31"
    assert words(board.get("/badge/off.svg")) == ("off", "disabled")
    assert words(board.get("/badge/often.svg")) == ("often", "pending")
    assert words(board.get("/badge/nobody.svg", 404)) == ("cronverifyd", "unknown job")


def test_without_a_database_no_badge_says_that_all_is_well(board):
    assert words(board.get("/badge/db-backup.svg", 503)) == ("db-backup", "unverified")


@pytest.mark.parametrize("name", ["<script>", "a&b", "%22onload=%22x", "x" * 200])
def test_nothing_of_a_name_that_nobody_knows_is_repeated(board, name):
    failing(board)
    assert words(board.get(f"/badge/{name}.svg", 404)) == ("cronverifyd", "unknown job")


def test_a_badge_may_be_shown_elsewhere_and_nothing_else(board):
    good(board)
    policy = "Cross-Origin-Resource-Policy"
    assert board.get("/badge/db-backup.svg").headers[policy] == "cross-origin"
    assert board.get("/api/v1/status").headers[policy] == "same-origin"


def test_a_job_that_is_new_since_the_daemon_looked_is_pending(board):
    board.look(YESTERDAY)
    board.place.configure(BACKUP + OTHERS)
    board.reload()
    assert words(board.get("/badge/often.svg")) == ("often", "pending")
