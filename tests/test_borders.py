"""The borders between the rooms: arrows point down only, and the judge stays pure.

The checker reads the imports and calls of every module (ast), those for type checkers only
included. Each rule is also shown a module that breaks it.
"""

import ast
import sys
from pathlib import Path

import pytest

import cronverifyd

PACKAGE = Path(cronverifyd.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

NOUNS = {"model", "errors"}
ALL_BUT_CLI = NOUNS | {
    *("judge", "config", "intake", "store", "host", "tell", "cue", "web", "engine"),
    *("scope", "report", "state", "systemd", "daemon", "doctor"),
}
# room → what it may use of ours, itself aside (the table of docs/ARCHITECTURE.md)
MAY_USE = {
    "__init__": set(),
    "__main__": {"cli"},
    "wrap": set(),
    "model": NOUNS,
    "errors": NOUNS,
    "scope": NOUNS,
    "judge": NOUNS,
    "config": NOUNS | {"judge", "scope"},
    "intake": NOUNS,
    "store": NOUNS,
    "host": NOUNS,
    "tell": NOUNS | {"judge.duration", "judge.wording"},
    "cue": NOUNS | {"judge"},
    "report": NOUNS | {"scope", "judge", "store.reader", "host.processes", "tell.text"},
    "web": NOUNS
    | {"__init__", "scope", "cue", "report", "store.reader", "tell.text"}
    | {"judge.duration", "judge.size", "judge.wording"},
    "engine": NOUNS | {"scope", "judge", "intake", "store", "report.proof"},
    "state": {"errors"},
    "systemd": {"errors"},
    "daemon": ALL_BUT_CLI - {"doctor"},
    "doctor": NOUNS
    | {"config", "cue", "host", "judge", "state", "report.proof", "store.health", "store.reader"}
    | {"web.sockets"},
    "cli": ALL_BUT_CLI | {"wrap", "__init__"},
}
# room → the only modules from outside the standard library that it may use
THIRD_PARTIES = {
    "__init__": set(),
    "__main__": set(),
    "wrap": set(),
    "model": set(),
    "errors": set(),
    "scope": set(),
    "report": set(),
    "judge": {"cronsim", "msgspec", "oncalendar", "re2"},
    "cue": {"cronsim", "msgspec", "requests", "urllib3"},
    "intake": {"msgspec"},
    "store": {"msgspec"},
    "host": {"msgspec", "zstandard"},
    "engine": {"msgspec"},
    "doctor": {"tzlocal"},
    "state": set(),
    "systemd": set(),
}
IMPURE = {
    *("os", "posix", "sqlite3", "socket", "threading", "requests", "logging", "subprocess"),
    *("time", "random", "secrets", "pathlib", "io", "glob", "asyncio", "importlib"),
}
THREADS = {"threading", "_thread", "concurrent", "multiprocessing", "asyncio"}
FORBIDDEN = {"judge": IMPURE, "engine": THREADS | {"time", "sqlite3"}, "cue": {"os", "socket"}}
# module from outside → the only modules of a room that may use it
ONLY_IN = {"cue": {"requests": {"cue/client.py"}, "urllib3": {"cue/client.py"}}}
CLOCKS = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.clock_gettime"),
}
READ_THE_CLOCK = {"daemon/clock.py", "wrap.py"}


def complaints(place, source):
    """Say what a module does that it must not. `place`: its path in the package."""
    tree = ast.parse(source)
    names = list(_imported(tree))
    return [
        *_about_arrows(_room(place), names),
        *_about_strangers(_room(place), names),
        *_about_places(place, names),
        *_about_clocks(place, tree, names),
        *_about_prints(_room(place), tree),
    ]


def _room(place):
    return place.split("/")[0].removesuffix(".py")


def _imported(tree):
    """Name all that is imported: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _about_arrows(room, names):
    allowed = MAY_USE[room] | {room}
    for name in names:
        if name.startswith("."):
            yield f"a relative import: {name}"
        top, _, rest = name.partition(".")
        if top != "cronverifyd":
            continue
        rest = rest or "__init__"
        rest = "__init__" if rest.startswith("__version__") else rest
        if not any(f"{rest}.".startswith(f"{each}.") for each in allowed):
            yield f"{room} imports {rest}"


def _about_strangers(room, names):
    tops = {name.split(".")[0] for name in names} - {"cronverifyd", "__future__", ""}
    third = {top for top in tops if top not in sys.stdlib_module_names}
    for top in sorted(third - THIRD_PARTIES.get(room, third)):
        yield f"{room} uses {top}"
    for top in sorted(tops & FORBIDDEN.get(room, set())):
        yield f"{room} uses {top}"
    # host: whether a job's file is whole
    if "sqlite3" in tops and room not in {"store", "host"}:
        yield f"{room} speaks SQL"


def _about_places(place, names):
    for stranger, places in ONLY_IN.get(_room(place), {}).items():
        if place not in places and any(name.split(".")[0] == stranger for name in names):
            yield f"{place} uses {stranger}"


def _about_clocks(place, tree, names):
    if place in READ_THE_CLOCK:
        return
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for clock in sorted(CLOCKS):
        if any(f".{each}".endswith(f".{clock}") for each in (*used, *names)):
            yield f"{place} reads the clock: {clock}"


def _about_prints(room, tree):
    if room in {"cli", "wrap"}:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.stdout.write"}:
            yield f"{room} prints"


# ---- the package as it stands -------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_keeps_to_the_borders(path):
    place = path.relative_to(PACKAGE).as_posix()
    assert complaints(place, path.read_text()) == []


def test_every_room_is_known():
    assert {_room(path.relative_to(PACKAGE).as_posix()) for path in MODULES} == set(MAY_USE)


def test_the_table_of_the_document_names_every_room():
    table = (PACKAGE.parent / "docs" / "ARCHITECTURE.md").read_text()
    for room in MAY_USE.keys() - {"__init__", "__main__"}:
        assert f"`{room}/`" in table or f"`{room}.py`" in table, room


# ---- each rule can fail -------------------------------------------------------------------------


def breach(place, source, complaint):
    return pytest.param(place, source, complaint, id=complaint)


BREACHES = [
    breach("wrap.py", "import cronverifyd", "wrap imports __init__"),
    breach("wrap.py", "from cronverifyd.model import Run", "wrap imports model.Run"),
    breach("wrap.py", "def f():\n    import requests", "wrap uses requests"),
    breach("model.py", "from cronverifyd import judge", "model imports judge"),
    breach("model.py", "import msgspec", "model uses msgspec"),
    breach("errors.py", "import cronverifyd.store.sqlite", "errors imports store.sqlite"),
    *(breach("judge/verify.py", f"import {name}", f"judge uses {name}") for name in sorted(IMPURE)),
    breach("judge/verify.py", "from os import path", "judge uses os"),
    breach("judge/verify.py", "from cronverifyd import store", "judge imports store"),
    breach(
        "judge/verify.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cronverifyd.engine import x",
        "judge imports engine.x",
    ),
    breach("judge/verify.py", "from .runs import join", "a relative import: .runs.join"),
    breach("judge/verify.py", "import flask", "judge uses flask"),
    breach("config/load.py", "from cronverifyd.tell import text", "config imports tell.text"),
    breach("intake/tail.py", "from cronverifyd.judge import runs", "intake imports judge.runs"),
    breach("intake/tail.py", "import sqlite3", "intake speaks SQL"),
    breach("host/artifacts.py", "from cronverifyd.judge import x", "host imports judge.x"),
    breach("store/rows.py", "from cronverifyd.intake import tail", "store imports intake.tail"),
    breach("tell/slack.py", "from cronverifyd.judge import verify", "tell imports judge.verify"),
    breach(
        "tell/slack.py", "from cronverifyd.judge import durations", "tell imports judge.durations"
    ),
    breach("cue/signature.py", "from cronverifyd.web import doors", "cue imports web.doors"),
    breach("cue/plan.py", "from cronverifyd.store import reader", "cue imports store.reader"),
    breach("cue/plan.py", "import flask", "cue uses flask"),
    breach("cue/plan.py", "import requests", "cue/plan.py uses requests"),
    breach("cue/client.py", "import socket", "cue uses socket"),
    breach(
        "web/app.py",
        "from cronverifyd.engine.engine import Engine",
        "web imports engine.engine.Engine",
    ),
    breach(
        "engine/engine.py", "from cronverifyd.daemon import clock", "engine imports daemon.clock"
    ),
    breach("engine/engine.py", "from cronverifyd.web import app", "engine imports web.app"),
    breach("engine/engine.py", "from cronverifyd.tell import slack", "engine imports tell.slack"),
    breach("engine/engine.py", "import threading", "engine uses threading"),
    breach("engine/engine.py", "from concurrent import futures", "engine uses concurrent"),
    breach("engine/engine.py", "import time", "engine uses time"),
    breach("state.py", "from cronverifyd.model import Run", "state imports model.Run"),
    breach("systemd.py", "from cronverifyd.store import x", "systemd imports store.x"),
    breach("daemon/run.py", "from cronverifyd.cli import main", "daemon imports cli.main"),
    breach("daemon/run.py", "import sqlite3", "daemon speaks SQL"),
    breach("cli/why.py", "import sqlite3", "cli speaks SQL"),
    breach("web/app.py", "print('x')", "web prints"),
    breach("daemon/run.py", "import sys\nsys.stdout.write('x')", "daemon prints"),
    breach(
        "cli/why.py",
        "from datetime import datetime\nnow = datetime.now()",
        "cli/why.py reads the clock: datetime.now",
    ),
    breach(
        "web/app.py",
        "import datetime\nnow = datetime.datetime.utcnow()",
        "web/app.py reads the clock: datetime.utcnow",
    ),
    breach(
        "daemon/timer.py", "import time\ntime.time()", "daemon/timer.py reads the clock: time.time"
    ),
    breach("cli/why.py", "from time import time", "cli/why.py reads the clock: time.time"),
    breach(
        "tell/story.py",
        "from datetime import date\ntoday = date.today",
        "tell/story.py reads the clock: date.today",
    ),
]


@pytest.mark.parametrize(("place", "source", "complaint"), BREACHES)
def test_a_breach_is_noticed(place, source, complaint):
    assert complaint in complaints(place, source)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        pytest.param("daemon/clock.py", "datetime.now(UTC)", id="the clock's own module"),
        pytest.param("wrap.py", "import time\ntime.time()", id="the wrapper measures"),
        pytest.param("daemon/bell.py", "import time\ntime.monotonic()", id="the monotonic clock"),
        pytest.param("tell/x.py", "from cronverifyd.judge.wording import quoted", id="the words"),
        pytest.param("judge/x.py", "from cronverifyd.judge import runs", id="its own room"),
        pytest.param("cli/x.py", "print(1)", id="the command line prints"),
        pytest.param("store/x.py", "import sqlite3", id="the store speaks SQL"),
    ],
)
def test_what_is_allowed_is_not_complained_of(place, source):
    assert complaints(place, source) == []
