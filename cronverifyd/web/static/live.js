// Fetches the page again every 5 s and puts in what has changed. What the reader has in hand stays:
// the place on the page, the focus, a selection, what was opened, the filter.
"use strict";

const PERIOD_MS = 5000;
const PATIENCE_MS = 10000;
const regions = () => document.querySelectorAll("[data-live]");

function held(region) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
}

function put(region, fresh) {
  if (region.innerHTML === fresh.innerHTML || held(region)) return;
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  const scrolled = [...region.querySelectorAll("[tabindex]")].map((e) => [e.id, e.scrollTop, e.scrollLeft]);
  region.replaceChildren(...fresh.childNodes);
  for (const [id, top, left] of scrolled) {
    const again = document.getElementById(id);
    if (again) again.scrollTo(left, top);
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function show(next) {
  const [x, y] = [scrollX, scrollY];
  for (const region of regions()) {
    const fresh = next.getElementById(region.id);
    if (fresh) put(region, fresh);
  }
  if (document.title !== next.title) document.title = next.title;
  const icon = document.getElementById("icon");
  const freshIcon = next.getElementById("icon");
  if (freshIcon && icon.getAttribute("href") !== freshIcon.getAttribute("href")) {
    icon.setAttribute("href", freshIcon.getAttribute("href"));
  }
  choose();
  scrollTo(x, y);
}

// What is shown is old as soon as one look has failed; then the page says so, for it may look well.
function stale(reason) {
  const note = document.getElementById("stale");
  if (!reason) {
    note.hidden = true;
  } else if (note.hidden) {
    note.textContent = `This page is not up to date: ${reason}, since ${new Date().toLocaleTimeString()}.`;
    note.hidden = false;
  }
  document.body.classList.toggle("old", Boolean(reason));
}

async function look() {
  try {
    const answer = await fetch(location.pathname, {
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) return stale(`the daemon answered ${answer.status}`);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    stale("");
  } catch {
    stale("the daemon does not answer");
  }
}

let timer = 0;

async function turn() {
  clearTimeout(timer);
  if (!document.hidden) await look();
  clearTimeout(timer);
  timer = setTimeout(turn, PERIOD_MS);
}

// ---- the filter ---------------------------------------------------------------------------------

const filter = document.getElementById("filter");

function choose() {
  if (!filter) return;
  const wanted = filter.value.trim().toLowerCase();
  let shown = 0;
  let all = 0;
  for (const table of document.querySelectorAll("table.jobs")) {
    let here = 0;
    for (const row of table.querySelectorAll("tr[data-job]")) {
      row.hidden = !row.dataset.job.toLowerCase().includes(wanted);
      all += 1;
      here += row.hidden ? 0 : 1;
    }
    table.hidden = here === 0;
    shown += here;
  }
  const words = `${shown} of ${all} shown`;
  const count = document.getElementById("shown");
  if (count.textContent !== words) count.textContent = words;
}

if (filter) {
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim();
    history.replaceState(null, "", wanted ? `?q=${encodeURIComponent(wanted)}` : location.pathname);
    choose();
  });
  document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
// A page that came filtered lacks the other rows: get them, so that the filter can be widened.
if (location.search) turn();
else timer = setTimeout(turn, PERIOD_MS);
