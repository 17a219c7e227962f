"""The checks stay pure, and the document names what they look at."""

import ast
import re
from pathlib import Path

import pytest

from cronverifyd.doctor import checks

FOLDER = Path(checks.__file__).parent
MODULES = sorted(FOLDER.glob("[a-z]*.py"))
DOCUMENT = FOLDER.parents[2] / "docs" / "DOCTOR.md"
PURE = ("__future__", "collections.abc", "datetime", "shlex", "typing")
OURS = ("cronverifyd.doctor.checks", "cronverifyd.doctor.facts", "cronverifyd.doctor.finding")
WORDS = ("cronverifyd.judge.", "cronverifyd.report.proof")


def origins(source):
    """Name the modules that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def impure(source):
    allowed = (*OURS, *WORDS)
    return [each for each in origins(source) if each not in PURE and not each.startswith(allowed)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_check_looks_at_nothing_itself(path):
    assert impure(path.read_text()) == []


@pytest.mark.parametrize(
    "source", ["import os", "from pathlib import Path", "from cronverifyd.doctor.look import files"]
)
def test_one_that_did_would_be_noticed(source):
    assert impure(source)


def test_the_document_names_every_check():
    said = {
        name
        for path in MODULES
        for name in re.findall(r'\b(?:ok|warning|bad|say)\(\s*"([a-z]+)"', path.read_text())
    }
    rows = [row for row in DOCUMENT.read_text().splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z]+)`", row.split("|")[1])}
    assert said == named - {"ok", "warning", "bad"}
