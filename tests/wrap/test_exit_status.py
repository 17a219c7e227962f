"""The wrapper ends as the job does."""

import pytest

from .conftest import bare, run

PATH = "/usr/bin:/bin"


@pytest.mark.parametrize("code", [0, 1, 2, 42, 124, 126, 127, 128, 255])
def test_the_exit_code_is_the_job_s(wrapper, code):
    assert wrapper.run("sh", "-c", f"exit {code}").returncode == code
    finish = wrapper.finish()
    assert finish["exit_code"] == code
    assert finish["status"] == ("failed" if code else "success")
    assert "signal" not in finish
    assert "error" not in finish


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("KILL", 137, id="KILL"),
        pytest.param("SEGV", 139, id="SEGV"),
        pytest.param("TERM", 143, id="TERM"),
        pytest.param("ABRT", 134, id="ABRT"),
        pytest.param("PIPE", 141, id="PIPE"),
        pytest.param("XFSZ", 153, id="XFSZ"),
    ],
)
def test_a_job_killed_by_a_signal_gives_128_and_its_number(wrapper, name, code):
    assert wrapper.run("sh", "-c", f"ulimit -c 0; kill -{name} $$").returncode == code
    finish = wrapper.finish()
    assert (finish["status"], finish["signal"]) == ("failed", f"SIG{name}")
    assert finish["exit_code"] is None


def test_a_real_time_signal_is_named_by_its_number(wrapper):
    assert wrapper.run("bash", "-c", "kill -40 $$").returncode == 168
    assert wrapper.finish()["signal"] == "SIG40"


@pytest.fixture
def odd_files(tmp_path):
    """Make files that cannot be run, or only by a shell."""
    (tmp_path / "plain").write_text("exit 3\n")
    (tmp_path / "script").write_text('echo $# "$1"; exit 3\n')
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "lost").chmod(0o755)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "empty").touch(mode=0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("nosuchcmd", 127, id="not in PATH"),
        pytest.param("./nosuchcmd", 127, id="not there"),
        pytest.param("", 127, id="empty name"),
        pytest.param("./plain", 126, id="without x"),
        pytest.param("./folder", 126, id="a folder"),
        pytest.param("./plain/below", 127, id="below a file"),
        pytest.param("./lost", 127, id="its interpreter is missing"),
        pytest.param("./loop", 127, id="a link to itself"),
        pytest.param("x" * 300, 127, id="name too long"),
    ],
)
def test_what_cannot_be_started_is_told_and_recorded(wrapper, odd_files, command, code):
    done = wrapper.run(command, cwd=odd_files)
    assert done.returncode == code
    assert done.stdout == b""
    assert done.stderr.startswith(f"cronverify-wrap: {command}: ".encode())
    assert done.stderr.count(b"\n") == 1
    finish = wrapper.finish()
    assert (finish["status"], finish["exit_code"]) == ("failed", code)
    assert finish["error"].startswith(f"{command}: ")


@pytest.mark.parametrize("command", ["nosuchcmd", "./plain", "./folder", "./lost", "./loop"])
def test_what_cannot_be_started_has_the_status_that_a_shell_gives_it(wrapper, odd_files, command):
    shell = bare("sh", "-c", '"$@"', "sh", command, cwd=odd_files)
    assert wrapper.run(command, cwd=odd_files).returncode == shell.returncode


def test_a_script_without_an_interpreter_is_run_by_sh(wrapper, odd_files):
    done = wrapper.run("./script", "a  b", cwd=odd_files)
    assert (done.returncode, done.stdout) == (3, b"1 a  b\n")
    assert wrapper.run("./empty", cwd=odd_files).returncode == 0


@pytest.fixture
def folders(tmp_path):
    """Make a PATH's folders: `tool` is in all, but in the first it cannot be run."""
    for name, mode in (("closed", 0o644), ("one", 0o755), ("two", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text(f"#!/bin/sh\necho {name}\n")
        (tmp_path / name / "tool").chmod(mode)
    (tmp_path / "one" / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("{0}/one:{0}/two", id="the first counts"),
        pytest.param("{0}/closed:{0}/two", id="what has no x is passed over"),
        pytest.param("{0}/one/tool:{0}/two", id="a file as a folder"),
        pytest.param("/nowhere:{0}/two", id="a missing folder"),
        pytest.param(":/nowhere", id="empty at the start is here"),
        pytest.param("/nowhere:", id="empty at the end is here"),
        pytest.param("/nowhere::/none", id="empty in between is here"),
        pytest.param("one", id="relative"),
        pytest.param("", id="empty"),
    ],
)
def test_a_command_is_found_as_a_shell_finds_it(wrapper, folders, path):
    how = {"env": {"PATH": path.format(folders)}, "cwd": folders / "two"}
    shell = run(["/bin/sh", "-c", "tool"], **how)
    done = wrapper.run("tool", **how)
    assert (done.returncode, done.stdout) == (shell.returncode, shell.stdout)
    assert wrapper.finish()["exit_code"] == shell.returncode


def test_without_a_path_the_usual_folders_are_searched(wrapper):
    done = wrapper.run("sh", "-c", "echo ran; exit 4", env={})
    assert (done.returncode, done.stdout) == (4, b"ran\n")


def test_a_name_with_a_slash_is_not_searched_for(wrapper, folders):
    done = wrapper.run("one/tool", cwd=folders, env={"PATH": str(folders / "two")})
    assert (done.returncode, done.stdout) == (0, b"one\n")


def test_what_is_in_the_path_but_without_x_is_126_as_in_bash_and_not_127_as_in_dash(
    wrapper, folders
):
    how = {"env": {"PATH": str(folders / "closed")}}
    assert wrapper.run("tool", **how).returncode == 126
    assert run(["/bin/bash", "-c", "tool"], **how).returncode == 126
    assert wrapper.finish()["error"] == "tool: Permission denied"
