"""Commands: what a program is given, and what its end means."""

import json
import os
import time
from pathlib import Path

import pytest

from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.tell.command import CommandSender
from cronverifyd.tell.document import document
from tests.tell.builders import alert, digest, failed, hostile, notice


@pytest.fixture
def script(tmp_path):
    """Write a program and give its path."""

    def write(text, mode=0o755, interpreter="#!/bin/sh\n"):
        path = tmp_path / "page"
        path.write_text(interpreter + text, encoding="utf-8")
        path.chmod(mode)
        return str(path)

    return write


def ends(process, within_s=5):
    """Wait until a process is gone, or only its remains are left."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    "message",
    [failed(run="r1"), notice(), digest(), hostile()],
    ids=["alert", "notice", "digest", "hostile"],
)
def test_a_program_reads_the_document_as_one_line(script, tmp_path, message):
    command = script('read -r line; printf %s "$line" >"$1"; cat >>"$1"')
    delivery = CommandSender([command, str(tmp_path / "got")]).send(message)
    assert delivery == Delivery(result=DeliveryResult.SENT, receipt="exit code 0")
    assert json.loads((tmp_path / "got").read_bytes()) == document(message)


def test_no_shell_reads_the_arguments(script, tmp_path):
    command = script(f'for a; do echo "[$a]"; done >{tmp_path}/got')
    CommandSender([command, "$(id)", "a b", "", "*;|"]).send(alert())
    assert (tmp_path / "got").read_text().splitlines() == ["[$(id)]", "[a b]", "[]", "[*;|]"]


@pytest.mark.parametrize(
    ("message", "job", "kind"),
    [
        pytest.param(alert(), "db-backup", "opened", id="alert"),
        pytest.param(notice(), "", "rejected", id="notice"),
        pytest.param(digest(), "", "digest", id="digest"),
    ],
)
def test_the_environment_has_four_names_and_nothing_of_ours(
    script, tmp_path, monkeypatch, message, job, kind
):
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "tell-nobody")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    command = script(f"exec env -0 >{tmp_path}/got")
    CommandSender([command]).send(message)
    found = dict(line.split("=", 1) for line in (tmp_path / "got").read_text().split("\0") if line)
    found.pop("PWD", None)  # the shell's own
    found.pop("_", None)
    assert found == {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "CRONVERIFY_JOB": job,
        "CRONVERIFY_KIND": kind,
    }


@pytest.mark.parametrize(
    ("text", "result", "error"),
    [
        pytest.param("exit 75", "retry", "page ended with exit code 75", id="tempfail"),
        pytest.param("exit 1", "retry", "page ended with exit code 1", id="unknown"),
        pytest.param("exit 64", "refused", "page ended with exit code 64", id="usage"),
        pytest.param("exit 78", "refused", "page ended with exit code 78", id="config"),
        pytest.param("exec /nowhere/x 2>&-", "refused", "exit code 127", id="not found inside"),
        pytest.param("exec /etc/passwd 2>&-", "refused", "exit code 126", id="not executable"),
        pytest.param("kill -KILL $$", "retry", "page was killed by SIGKILL", id="signal"),
        pytest.param("kill -40 $$", "retry", "page was killed by", id="real-time signal"),
        pytest.param(
            "echo first >&2; echo '  no route ' >&2; exit 1",
            "retry",
            "page ended with exit code 1: no route",
            id="last line of stderr",
        ),
        pytest.param(
            r"printf '\033[2Jbad\r\n\033]0;t\007evil\342\200\256\377' >&2; exit 1",
            "retry",
            "page ended with exit code 1: evil\ufffd",
            id="hostile stderr",
        ),
    ],
)
def test_what_an_end_means(script, text, result, error):
    delivery = CommandSender([script(text)]).send(alert())
    assert delivery.result == result
    assert delivery.error.startswith(error) or delivery.error.endswith(error)
    assert delivery.error.isprintable()


def test_a_huge_stderr_is_read_and_its_last_line_cut(script):
    text = "head -c 50000000 /dev/zero | tr '\\0' x >&2; exit 75"
    delivery = CommandSender([script(text)]).send(alert())
    assert delivery.error.startswith("page ended with exit code 75: xxxx")
    assert len(delivery.error) < 300


def test_a_program_that_reads_nothing_takes_a_large_message_all_the_same(script):
    assert CommandSender([script("exit 0")]).send(hostile()).result is DeliveryResult.SENT


def test_what_runs_too_long_is_killed_with_all_that_it_started(script, tmp_path):
    command = script(f"sleep 60 & echo $! $$ >{tmp_path}/pids; echo waiting >&2; wait")
    begun = time.monotonic()
    delivery = CommandSender([command], timeout_s=1).send(alert())
    assert delivery == Delivery(
        result=DeliveryResult.RETRY, error="page did not end within 1 s: waiting"
    )
    assert time.monotonic() - begun < 5
    grandchild, child = (tmp_path / "pids").read_text().split()
    assert ends(grandchild)
    assert ends(child)


@pytest.mark.parametrize("noise", ["", "while :; do echo x >&2; done &"], ids=["silent", "loud"])
def test_a_background_child_that_holds_stderr_keeps_nobody(script, tmp_path, noise):
    command = script(f"sleep 30 & echo $! >{tmp_path}/pid\n{noise}\nexit 0")
    begun = time.monotonic()
    assert CommandSender([command]).send(alert()).result is DeliveryResult.SENT
    assert time.monotonic() - begun < 5
    child = int((tmp_path / "pid").read_text())
    os.kill(child, 9)  # it was let live


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        pytest.param(lambda s: s("exit 0", mode=0o644), "Permission denied", id="no x"),
        pytest.param(lambda s: s("") + "-gone", "No such file", id="missing"),
        pytest.param(lambda s: s("") + "/in", "Not a directory", id="in a file"),
        pytest.param(lambda s: s("x", interpreter=""), "Exec format error", id="no program"),
        pytest.param(lambda s: s("", interpreter="#!/nowhere/sh\n"), "No such file", id="no sh"),
        pytest.param(lambda _: "no-such-program-anywhere", "No such file", id="not in PATH"),
    ],
)
def test_a_program_that_cannot_be_started_is_refused(script, prepare, words):
    delivery = CommandSender([prepare(script)]).send(alert())
    assert delivery.result is DeliveryResult.REFUSED
    assert f"cannot be started: {words}" in delivery.error


def test_arguments_that_are_too_long_are_tried_again(script):
    delivery = CommandSender([script("exit 0"), "x" * 4_000_000]).send(alert())
    assert delivery.result is DeliveryResult.RETRY
    assert "Argument list too long" in delivery.error


def test_no_descriptor_is_left_open(script):
    command = script("exit 0")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        CommandSender([command]).send(alert())
        CommandSender([command + "-gone"]).send(alert())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_bare_name_is_found_in_path(script, monkeypatch):
    folder = Path(script("exit 0")).parent
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert CommandSender(["page"]).send(alert()).result is DeliveryResult.SENT
