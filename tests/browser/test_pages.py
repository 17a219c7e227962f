"""The pages in a real headless Chromium: what is seen, in both themes, on a desk and on a phone.

With CRONVERIFYD_SHOTS=FOLDER each page is kept there as a picture, to be looked at.
"""

import os
from pathlib import Path

import pytest

from cronverifyd.web.sockets import bind_tcp
from tests.browser.chromium import DESK, PHONE
from tests.browser.scene import scene
from tests.builders import finished
from tests.web.loop import serving

pytestmark = pytest.mark.browser

LONG = "mirror-sync-of-a-name-that-is-longer-than-others.internal"
PAGES = {"home": "/", "bad": f"/jobs/{LONG}", "good": "/jobs/db-backup", "off": "/jobs/resting"}
REFRESHED_WITHIN_S = 15

# WCAG 2.1, 1.4.3: relative luminance and contrast; text under 24 px (18.66 px bold) needs 4.5.
CONTRASTS = """
const channel = (c) => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
const read = (text) => text.match(/[\\d.]+/g).map(Number);
function behind(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = read(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
}
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const own = element instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [light(read(own)), light(behind(element))];
  const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  const what = `${element.className} ${element.textContent.slice(0, 30)}`;
  if (contrast < 4.5) poor.push(`${contrast.toFixed(2)} ${what}`);
}
return poor;
"""
COUNT_LOOKS = """
window.looks = 0;
const before = fetch;
window.fetch = (...all) => { window.looks += 1; return before(...all); };
"""
CUT_OFF = """
const forEarsOnly = (e) => e && getComputedStyle(e).position === "absolute";
return [...document.querySelectorAll("main *")].filter((e) => {
  if (forEarsOnly(e.closest("thead, .unseen"))) return false;
  const box = e.getBoundingClientRect();
  return e.checkVisibility() && box.width > 1 && (box.right > innerWidth + 1 || box.left < -1);
}).map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 30)}`);
"""


@pytest.fixture
def changing(tmp_path):
    """Serve an installation of this test's own."""
    board = scene(tmp_path, days=2)
    with serving(board.app, bind_tcp("127.0.0.1", 0)) as server:
        yield board, f"http://127.0.0.1:{server.port}"


def keep(chromium, name):
    if folder := os.environ.get("CRONVERIFYD_SHOTS"):
        Path(folder).mkdir(exist_ok=True)
        chromium.picture(Path(folder, f"{name}.png"))


# ---- how it looks -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_readable_and_without_complaint(chromium, address, name, size, scheme):
    chromium.look_like(size, scheme)
    chromium.open(address + PAGES[name])
    keep(chromium, f"{name}-{size[0]}-{scheme}")
    assert chromium.complaints() == []
    assert chromium.run("return document.documentElement.scrollWidth <= innerWidth")
    assert chromium.run(CUT_OFF) == []
    assert chromium.run(CONTRASTS) == []
    background = chromium.run("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, background[4:-1].split(","))) < 64) is (scheme == "dark")


def test_a_page_asks_nobody_else_for_anything(chromium, address):
    chromium.requested()
    chromium.open(address + "/")
    chromium.wait(lambda: chromium.run("return document.readyState") == "complete", "not loaded")
    asked = {url for url in chromium.requested() if url.startswith("http")}
    assert asked >= {f"{address}/", f"{address}/static/page.css", f"{address}/static/live.js"}
    assert all(url.startswith(address) for url in asked)


def test_the_policy_forbids_what_is_inline(chromium, address):
    """Show that the console's silence means something: a breach is told."""
    chromium.open(address + "/")
    chromium.run("document.body.setAttribute('onclick', 'window.breached = 1')")
    chromium.run("document.body.click()")
    assert chromium.run("return window.breached") is None
    assert any("Content Security Policy" in message for message in chromium.complaints())


def test_text_of_a_job_runs_nothing_and_shows_itself(chromium, address):
    chromium.open(f"{address}/jobs/{LONG}")
    output = chromium.run("return document.getElementById('output-text').textContent")
    assert "<script>alert(1)</script> <img src=x onerror=alert(2)> evil {{ 7*7 }}" in output
    assert chromium.run("return document.images.length") == 0
    assert chromium.run("return [...document.scripts].map((s) => s.getAttribute('src'))") == [
        "/static/live.js"
    ]


def test_the_table_stays_a_table_where_it_is_drawn_as_cards(chromium, address):
    chromium.look_like(PHONE)
    chromium.open(address + "/")
    roles = chromium.cdp("Accessibility.getFullAXTree")["nodes"]
    names = [node["role"]["value"] for node in roles if not node.get("ignored")]
    assert {"table", "row", "rowheader", "cell", "columnheader", "search", "main"} <= set(names)
    assert names.count("table") == 3


def test_the_keyboard_reaches_all_and_shows_where_it_is(chromium, address):
    chromium.open(address + "/")
    reached = []
    for _ in range(6):
        chromium.press("Tab")
        reached.append(chromium.run("return document.activeElement.textContent || 'filter'"))
        width = "return getComputedStyle(document.activeElement).outlineWidth"
        assert chromium.run(width) != "0px"
    assert reached[:3] == ["Skip to the jobs", "cronverifyd", "filter"]
    assert reached[3:5] == ["invoice-gen", LONG]


# ---- what moves ---------------------------------------------------------------------------------


def row(chromium, job):
    script = "return document.getElementById(arguments[0])?.closest('tr').innerText ?? ''"
    return chromium.run(script, f"job-{job}")


def test_a_change_is_shown_without_a_reload_and_leaves_the_reader_alone(chromium, changing):
    board, address = changing
    chromium.look_like((1280, 500))
    chromium.open(address + "/")
    assert "missed" in row(chromium, "invoice-gen")
    chromium.run(
        "window.mine = 1; document.getElementById('key').open = true;"
        "document.getElementById('job-cleanup').focus(); scrollTo(0, 200);"
    )
    board.look("11:30", finished("11:29", job_name="invoice-gen", run_id="by-hand"))
    chromium.wait(lambda: "late" in row(chromium, "invoice-gen"), "no row", REFRESHED_WITHIN_S)
    assert chromium.run("return document.getElementById('banner').innerText").startswith("1 of 7")
    assert chromium.run("return document.title").startswith("1 of 7 jobs is not well")
    assert chromium.run("return window.mine") == 1
    assert chromium.run("return document.activeElement.id") == "job-cleanup"
    assert chromium.run("return document.getElementById('key').open") is True
    assert chromium.run("return scrollY") == 200
    assert chromium.complaints() == []


def test_a_selection_stays_until_it_is_let_go(chromium, changing):
    board, address = changing
    chromium.open(f"{address}/jobs/{LONG}")
    chromium.run("getSelection().selectAllChildren(document.getElementById('output-text'))")
    board.look("11:30", finished("11:29", job_name=LONG, run_id="by-hand", output_tail="well\n"))
    banner = "return document.getElementById('banner').innerText"
    chromium.wait(lambda: "late" in chromium.run(banner), "not refreshed", REFRESHED_WITHIN_S)
    assert "alert(1)" in chromium.run("return getSelection().toString()")
    chromium.run("getSelection().removeAllRanges()")
    output = "return document.getElementById('output-text').textContent"
    chromium.wait(lambda: chromium.run(output) == "well", "kept", REFRESHED_WITHIN_S)


def test_a_page_that_cannot_be_refreshed_says_so_and_mends_itself(chromium, changing):
    board, address = changing
    chromium.open(address + "/")
    note = "const n = document.getElementById('stale'); return n.hidden ? '' : n.innerText"
    database = board.place.database
    database.rename(database.with_suffix(".away"))
    chromium.wait(lambda: "not up to date" in chromium.run(note), "silent", REFRESHED_WITHIN_S)
    assert "503" in chromium.run(note)
    keep(chromium, "stale")
    database.with_suffix(".away").rename(database)
    chromium.wait(lambda: not chromium.run(note), "still stale", REFRESHED_WITHIN_S)


def visible(chromium):
    script = "return [...document.querySelectorAll('tr[data-job]')].filter((r) => !r.hidden).length"
    return chromium.run(script)


def test_the_filter_filters_and_goes_on_to_after_a_refresh(chromium, address):
    chromium.open(address + "/")
    chromium.run("document.getElementById('filter').focus()")
    chromium.press(*"failed")
    assert visible(chromium) == 2
    shown = "return document.getElementById('shown').textContent"
    assert chromium.run(shown) == "2 of 7 shown"
    assert chromium.run("return location.search") == "?q=failed"
    chromium.run(COUNT_LOOKS)
    chromium.wait(lambda: chromium.run("return window.looks") > 1, "no looks", REFRESHED_WITHIN_S)
    assert visible(chromium) == 2
    chromium.press("Enter")
    assert chromium.run("return window.looks") > 1, "Enter must not load the page anew"


def test_a_page_that_came_filtered_can_be_widened(chromium, address):
    chromium.open(address + "/?q=failed")
    everything = "return document.querySelectorAll('tr[data-job]').length"
    chromium.wait(lambda: chromium.run(everything) == 7, "no other rows", REFRESHED_WITHIN_S)
    assert visible(chromium) == 2


def test_without_scripts_the_page_is_whole_and_the_filter_is_a_form(chromium, address):
    chromium.look_like(scripts=False)
    chromium.open(address + "/")
    chromium.cdp("DOM.enable")
    assert "of 7 jobs are not well" in chromium.html()
    chromium.open(address + "/?q=cleanup")
    assert 'href="/jobs/cleanup"' in chromium.html()
    assert 'href="/jobs/invoice-gen"' not in chromium.html()
