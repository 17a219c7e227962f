"""The pages: what they say, in which order, and that nothing of a job's own text is markup."""

import re
import unicodedata

import pytest

from cronverifyd.model import Verdict
from cronverifyd.report import documents
from cronverifyd.store.reader import open_reader
from cronverifyd.web.chart import HEIGHT, RUNS, chart
from cronverifyd.web.overview import overview, sentence
from tests.builders import at, finished, started
from tests.cli.place import BACKUP
from tests.web.board import YESTERDAY, Board, failing, good
from tests.web.markup import Markup

OTHERS = (
    '[jobs.a-job]\nschedule = "0 4 * * *"\n'
    '[jobs.z-job]\nschedule = "0 3 * * *"\ntolerate = 2\n'
    '[jobs.off]\nschedule = "0 4 * * *"\nenabled = false\n'
)
HOSTILE = (
    "\x1b[31mred\x1b[0m\x1b]0;title\x07 <script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    "</pre></html>\u202eevil\u2066\u200b\ufeff {{ 7*7 }} {% raw %} &lt;b&gt; \x00\x85"
)
SEEN = "red <script>alert(1)</script>\"'><img src=x onerror=alert(2)></pre></html>evil"


def page(board, path="/", status=200):
    response = board.get(path, status)
    assert response.content_type == "text/html; charset=utf-8"
    return Markup(response.text)


@pytest.fixture
def several(tmp_path):
    """Give three jobs: one good, one that failed, one that failed and nobody is told."""
    board = Board(tmp_path, BACKUP + OTHERS)
    board.look(YESTERDAY)
    board.look(
        "04:11",
        finished("03:10", "failed", job_name="z-job", run_id="z"),
        finished("03:10", "failed", exit_code=3, run_id="b"),
        finished("04:10", job_name="a-job", run_id="a"),
    )
    return board


# ---- the first page -----------------------------------------------------------------------------


def test_those_that_are_not_well_come_first(several):
    seen = page(several)
    assert seen.within("caption") == ["Not well", "Last slot not good, nobody is told", "Well"]
    links = [a["href"] for a in seen.all("a") if a["href"].startswith("/jobs/")]
    assert links == ["/jobs/db-backup", "/jobs/z-job", "/jobs/a-job"]
    assert 'expected "success"' in seen.text
    assert "1 bad slot" in seen.text


def test_a_job_that_is_disabled_is_not_there_and_yet_has_a_page(several):
    assert "/jobs/off" not in several.get("/").text
    assert "The job is disabled" in page(several, "/jobs/off").text


@pytest.mark.parametrize(
    ("wanted", "jobs"),
    [
        ("a-job", ["a-job"]),
        ("JOB", ["z-job", "a-job"]),
        ("failed", ["db-backup", "z-job"]),
        ("nothing", []),
        ("%ff%00<", []),
        ("x" * 10_000, []),
    ],
)
def test_without_scripts_the_filter_is_the_server_s(several, wanted, jobs):
    seen = page(several, f"/?q={wanted}")
    assert [row["data-job"].split()[0] for row in seen.all("tr") if "data-job" in row] == jobs
    assert f"{len(jobs)} of 3 shown" in seen.text


def document(board, **changed):
    with open_reader(board.place.state) as reader:
        return documents.status(board.scope, reader, at(board.now)) | changed


BLIND = {"id": "i", "since": YESTERDAY, "files": [{"path": "/o", "reason": "cannot be read"}]}


@pytest.mark.parametrize(
    ("changed", "alive", "level", "headline"),
    [
        pytest.param({}, True, "well", "All well: 1 job", id="well"),
        pytest.param({"jobs": []}, True, "warning", "No job is watched", id="none"),
        pytest.param(
            {"undelivered": 2}, True, "warning", "2 alerts reached nobody", id="undelivered"
        ),
        pytest.param(
            {"unverified": ["a"]}, True, "bad", "Nobody checks: due and not", id="unverified"
        ),
        pytest.param({"unverified": ["a"]}, False, "bad", "Nobody checks: the daemon", id="stuck"),
        pytest.param(
            {"cannot_see": BLIND}, True, "bad", "Cannot see what jobs wrote: /o", id="blind"
        ),
        pytest.param(
            {"cron_dead": {"id": "i", "since": YESTERDAY}}, True, "bad", "No cron", id="cron"
        ),
    ],
)
def test_the_headline_says_what_hides_most(board, changed, alive, level, headline):
    good(board)
    banner = overview(document(board, **changed), lambda _: [], alive=alive).banner
    assert banner.level == level
    assert banner.headline.startswith(headline)


def test_triggers_that_have_stopped_are_a_warning(board):
    good(board)
    status = document(board, triggers_stopped={"id": "i", "since": YESTERDAY})
    banner = overview(status, lambda _: [], alive=True).banner
    assert banner.level == "warning"
    assert banner.headline == "CueAPI has stopped triggering, seen 1 d ago"


def test_what_is_not_proven_and_what_made_a_slot_bad_is_said(several):
    status = document(several, unproven=["channel ops has taken no message yet"])
    status["jobs"][0]["incident"]["cause"] = "the host was down"
    seen = overview(status, lambda _: [], alive=True)
    assert seen.unproven == ("channel ops has taken no message yet",)
    assert seen.groups[0][1][0].cause == "the host was down"


def test_what_else_is_wrong_stands_below_the_headline(several):
    status = document(
        several, undelivered=1, cannot_see=BLIND, unverified=["a", "b", "c", "d", "e"]
    )
    banner = overview(status, lambda _: [], alive=True).banner
    assert banner.headline.endswith("a, b, c, 2 more")
    assert [line.split(":")[0] for line in banner.more] == [
        "Cannot see what jobs wrote",
        "1 of 3 jobs is not well",
        "1 alert reached nobody yet",
    ]


def test_a_mute_and_an_acknowledgement_are_shown(several):
    status = document(several)
    status["jobs"][0] |= {"muted_until": "2024-05-15T14:00:00+00:00"}
    status["jobs"][0]["incident"]["acked"] = True
    row = overview(status, lambda _: [], alive=True).groups[0][1][0]
    assert (row.acked, row.muted_until.words) == (True, "in 2 h")


def test_a_strip_is_letters_and_words_as_well_as_colours(several):
    spoken = [e["aria-label"] for tag, e in page(several).elements if e.get("class") == "strip"]
    assert "last slots, oldest first: 1 failed" in spoken
    assert sentence(["ok", "ok", "missed", "ok"]) == "2 ok, 1 missed, 1 ok"
    letters = page(several).within("i")
    assert len(set(letters)) == len(Verdict)


def test_every_verdict_is_explained(several):
    assert set(page(several).within("b")) >= set(Verdict)


# ---- a job's page -------------------------------------------------------------------------------


def test_a_job_s_page_shows_the_evidence_the_runs_and_the_output(board):
    failing(board, duration_s=600.0, output_tail="disk is full\n", max_rss_kb=50_000)
    seen = page(board, "/jobs/db-backup")
    assert 'ended with status "failed" (exit code 3)' in seen.text
    assert "due Wed 2024-05-15 03:00:00 +0000" in seen.text
    assert "opened to ops: sent" in seen.text
    assert seen.within("pre") == ["disk is full"]
    assert seen.within("time").count("2024-05-15 03:00") == 1
    assert seen.within("title")[1:] == ["Wed 2024-05-15 03:00: failed, 10 min"]


def test_before_the_first_slot_there_is_nothing_to_draw(board):
    board.look(YESTERDAY)
    board.now = YESTERDAY
    seen = page(board, "/jobs/db-backup")
    assert not seen.all("svg")
    assert "No slot has been judged yet." in seen.text
    assert "No output was kept." in seen.text


@pytest.mark.parametrize("name", ["nobody", "<script>alert(1)<script>", "%1b%5b31m", "x" * 3_000])
def test_a_job_that_nobody_knows_has_a_page_that_says_so(board, name):
    good(board)
    seen = page(board, f"/jobs/{name}", 404)
    assert "no job is called so" in seen.text
    assert "alert(1)" not in seen.text


@pytest.mark.parametrize("path", ["/", "/jobs/db-backup"])
def test_without_a_database_a_page_says_what_to_do(board, path):
    seen = page(board, path, 503)
    assert "there is no database" in seen.text
    assert "cronverifyd run" in seen.text


def test_the_runbook_is_a_link(tmp_path):
    board = Board(tmp_path, f'{BACKUP}runbook = "https://wiki.example.com/a?b=\'c"\n')
    good(board)
    (link,) = [a for a in page(board, "/jobs/db-backup").all("a") if "rel" in a]
    assert link["href"] == "https://wiki.example.com/a?b='c"


# ---- text from jobs -----------------------------------------------------------------------------


def shape(markup):
    return [(tag, sorted(attrs)) for tag, attrs in markup.elements]


@pytest.mark.parametrize("path", ["/", "/jobs/db-backup"])
def test_nothing_of_a_job_s_own_text_survives_as_markup(tmp_path, path):
    pages = []
    for folder, text in (("tame", "tame"), ("hostile", HOSTILE)):
        (tmp_path / folder).mkdir()
        board = Board(tmp_path / folder)
        keys = {"error": text, "command": text, "user": text[:40], "host": text[:60]}
        board.look(YESTERDAY)
        board.look(
            "03:11",
            started("03:00"),
            finished("03:10", text[:40], output_tail=text * 30, signal=text[:20], **keys),
        )
        pages.append(page(board, path))
    tame, hostile = pages
    assert shape(hostile) == shape(tame)
    found = {unicodedata.category(char) for _, text in hostile.texts for char in text}
    assert not found & {"Cf", "Cs", "Co", "Cn"}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", board.get(path).text)
    if path != "/":
        assert SEEN in hostile.within("pre")[0]
        assert "{{ 7*7 }}" in hostile.text


# ---- what every page keeps ----------------------------------------------------------------------

PAGES = [("/", 200), ("/jobs/db-backup", 200), ("/jobs/z-job", 200), ("/jobs/nobody", 404)]


@pytest.mark.parametrize(("path", "status"), PAGES)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(several, path, status):
    seen = page(several, path, status)
    for tag, attrs in seen.elements:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not [name for name in attrs if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            assert attrs.get(name, "/").startswith(("/", "#"))
    assert seen.within("script") == []
    assert [script["src"] for script in seen.all("script")] == ["/static/live.js"]


@pytest.mark.parametrize(("path", "status"), PAGES)
def test_it_can_be_found_through_by_ear(several, path, status):
    seen = page(several, path, status)
    ids = [attrs["id"] for _, attrs in seen.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert [html["lang"] for html in seen.all("html")] == ["en"]
    assert [len(seen.all(tag)) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    assert all(th["scope"] in {"col", "row"} for th in seen.all("th"))
    assert len(seen.all("table")) == len(seen.all("caption"))
    labelled = {label["for"] for label in seen.all("label")}
    assert {field["id"] for field in seen.all("input")} == labelled
    regions = [attrs["id"] for _, attrs in seen.elements if "data-live" in attrs]
    spoken = [attrs["id"] for _, attrs in seen.elements if "aria-live" in attrs]
    assert spoken == [each for each in regions if each == "banner"]
    names = {attrs["aria-labelledby"] for _, attrs in seen.elements if "aria-labelledby" in attrs}
    assert names <= set(ids)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("page.css", "text/css; charset=utf-8"),
        ("live.js", "text/javascript; charset=utf-8"),
        ("bad.svg", "image/svg+xml"),
    ],
)
def test_a_file_that_has_not_changed_is_not_sent_again(board, name, kind):
    first = board.get(f"/static/{name}")
    assert first.content_type == kind
    assert first.headers["Cache-Control"].startswith("no-cache")
    board.get(f"/static/{name}", 304, **{"If-None-Match": first.headers["ETag"]})


@pytest.mark.parametrize("name", ["..%2fstatus.py", "%2e%2e/status.py", "nothing.css", "."])
def test_nothing_else_is_a_file(board, name):
    board.get(f"/static/{name}", 404)


# ---- the picture of durations -------------------------------------------------------------------


def slot(verdict="ok", *took_s: float | None):
    runs = [{"duration_s": each} for each in took_s]
    return {"slot": "2024-05-15T03:00:00+00:00", "verdict": verdict, "runs": runs}


def test_the_newest_run_stands_right_and_the_longest_is_the_highest():
    drawn = chart([slot("ok", 10.0), slot("ok", 30.0), slot("ok", 20.0)], 60.0)
    heights = [bar.height for bar in drawn.bars]
    assert heights[1] == max(heights)
    assert heights[0] == pytest.approx(2 * heights[2], abs=0.2)
    assert drawn.limit_top == min(bar.top for bar in drawn.bars) - heights[1]
    assert (drawn.usual, drawn.longest, drawn.limit) == ("20 s", "30 s", "1 min")


def test_a_limit_that_is_far_away_is_said_and_not_drawn():
    drawn = chart([slot("ok", 10.0)], 3600.0)
    assert drawn.limit_top is None
    assert drawn.bars[0].height > HEIGHT / 2


@pytest.mark.parametrize(
    ("verdict", "mark"),
    [("ok", ""), ("late", "triangle"), ("pending", "ring"), ("unknown", "ring")]
    + [(verdict, "cross") for verdict in Verdict if verdict.bad],
)
def test_what_is_not_good_has_a_shape(verdict, mark):
    assert chart([slot(verdict, 1.0)], 60.0).bars[0].mark == mark


def test_a_slot_without_a_run_is_drawn_and_one_to_come_is_not():
    drawn = chart([slot("pending"), slot("missed"), slot("ok", 1.0)], 60.0)
    assert [(bar.verdict, bar.height > 0) for bar in drawn.bars] == [
        ("ok", True),
        ("missed", False),
    ]
    assert drawn.bars[1].title == "Wed 2024-05-15 03:00: missed, no run that has ended"
    assert chart([slot("pending")], 60.0) is None
    assert chart([], 60.0) is None


def test_no_more_than_the_last_runs_are_drawn_and_all_within_the_picture():
    drawn = chart([slot("ok", float(n), 0.0) for n in range(100)], 1.0)
    assert len(drawn.bars) == RUNS
    assert all(bar.left >= 0 and bar.left + bar.width <= 100 for bar in drawn.bars)
    assert all(bar.top >= 8 and bar.top + bar.height <= HEIGHT for bar in drawn.bars)
