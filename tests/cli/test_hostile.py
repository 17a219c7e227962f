"""What jobs write is inert: it moves no terminal, forges no line, and is no markup."""

import re
import unicodedata
from datetime import timedelta

import pytest

from tests.builders import line
from tests.cli.place import BACKUP, Place, now
from tests.cli.process import SGR, show, without_style

ATTACK = (
    "\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title-of-theirs\x07 \x9b5m \u202egpj.exe\u202c \u200b\u2066"
    " <!channel> <@U024BE7LH> <https://evil.example|click> [bold]loud[/bold] [link=x]y[/]"
)
FORGED = "db-backup is ok: all is well\ndb-backup  ok  03:00\n1 job checked, all well\r\x08\x0b\x0c"
FORGERY = re.compile(r"^(db-backup is ok|db-backup +ok|1 job checked, all well)", re.MULTILINE)
COMMANDS = [("status",), ("history", "db-backup"), ("why", "db-backup"), ("check",)]
OTHER = '[jobs.running]\nschedule = "0 4 * * *"\n'


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """Make a job that failed and says the worst in every word that is its own."""
    here = Place(tmp_path_factory.mktemp("attacked"), BACKUP + OTHER)
    today = now()
    here.look(today - timedelta(hours=1))
    words = {
        "error": f"{ATTACK}\n{FORGED}",
        "output_tail": f"{ATTACK}\n{FORGED}\n",
        "host": ATTACK,
        "user": "\x1b[31mroot\n",
        "command": f"rm {ATTACK}\n{FORGED}",
        "signal": "\x1b[31mKILL",
        "metrics": {"\x1b[31mrows\n": 7},
    }
    here.append(line(status="\x1b[31mbad\x1b[0m[bold]\n\u202eword", run="r1", **words))
    here.append(line("running", event="start", run="\x1b[31mr2\n\u202e"))
    here.look(today)
    return here


def unsafe(text):
    """Give the characters that a terminal or a bidi renderer would obey."""
    return [c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs"}]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_in_a_pipe_nothing_of_it_is_obeyed_or_taken_for_ours(attacked, cli, command):
    done = cli(*command, "--config", attacked.config)

    assert unsafe(done.out + done.err) == []
    assert "title-of-theirs" not in done.out + done.err
    assert "bad[bold] word" in done.out
    assert FORGERY.search(done.out) is None


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_on_a_terminal_nothing_of_it_is_obeyed_or_taken_for_ours(attacked, command):
    _, text = show(*command, "--config", attacked.config)

    shown = without_style(text)
    assert unsafe(shown) == []
    assert "title-of-theirs" not in shown
    assert "bad[bold] word" in " ".join(shown.split())
    assert FORGERY.search(shown) is None
    blinking = [codes for codes in SGR.findall(text) if "5" in codes.split(";")]
    assert blinking == []


def test_markup_is_shown_and_not_obeyed(attacked):
    words = " ".join(
        without_style(show("why", "db-backup", "--config", attacked.config)[1]).split()
    )

    assert "[bold]loud[/bold] [link=x]y[/]" in words
    assert "<!channel> <@U024BE7LH> <https://evil.example|click>" in words


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_document_is_ascii_and_keeps_every_character(attacked, cli, command):
    done = cli(*command, "--json", "--config", attacked.config)

    assert done.out.isascii()
    assert unsafe(done.out) == []
    if command[0] in {"history", "why"}:
        document = done.json["slots"][0] if command[0] == "history" else done.json
        assert document["runs"][0]["output_tail"] == f"{ATTACK}\n{FORGED}\n"
