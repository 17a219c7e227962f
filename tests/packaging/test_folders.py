"""Users, folders and rotation, as systemd's and logrotate's own programs make them."""

import os
import stat

import pytest

from cronverifyd.config.load import load

from .conftest import ROOT, needs, run

PACKAGING = ROOT / "packaging"
FOLDERS = {
    "etc/cronverifyd": (0o755, "root"),
    "etc/cronverifyd/config.toml": (0o640, "root"),
    "var/lib/cronverifyd": (0o755, "root"),
    "var/lib/cronverifyd/state": (0o750, "cronverifyd"),
    "var/lib/cronverifyd/outcomes.d": (0o755, "root"),
    "var/lib/cronverifyd/outcomes.d/root.jsonl": (0o600, "root"),
    "var/lib/cronverifyd/outcomes.d/cronverifyd.jsonl": (0o600, "cronverifyd"),
}


@pytest.fixture
def host(tmp_path):
    """Give a root folder with our user and our folders in it; nothing else of a system."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root gives files to others")
    (tmp_path / "etc/cronverifyd").mkdir(parents=True)
    (tmp_path / "etc/cronverifyd/config.toml").write_bytes((PACKAGING / "config.toml").read_bytes())
    for program, arguments, file in (
        ("systemd-sysusers", [], "sysusers.conf"),
        ("systemd-tmpfiles", ["--create"], "tmpfiles.conf"),
    ):
        done = run(needs(program), f"--root={tmp_path}", *arguments, PACKAGING / file)
        assert (done.returncode, done.stdout) == (0, ""), done
    return tmp_path


def uids(host):
    rows = [line.split(":") for line in (host / "etc/passwd").read_text().splitlines()]
    return {"root": 0} | {row[0]: int(row[2]) for row in rows}


def test_the_daemons_user_cannot_log_in(host):
    (row,) = [r for r in (host / "etc/passwd").read_text().splitlines() if "cronverifyd" in r]
    name, _, uid, _, _, home, shell = row.split(":")
    assert (name, home, shell) == ("cronverifyd", "/var/lib/cronverifyd", "/usr/sbin/nologin")
    assert 0 < int(uid) < 1000


@pytest.mark.parametrize("place", FOLDERS)
def test_each_folder_has_its_owner_and_its_mode(host, place):
    mode, owner = FOLDERS[place]
    status = (host / place).stat()
    assert stat.S_IMODE(status.st_mode) == mode
    assert status.st_uid == uids(host)[owner]


def test_a_boot_later_nothing_that_was_written_is_lost(host):
    file = host / "var/lib/cronverifyd/outcomes.d/root.jsonl"
    file.write_text("{}\n")
    run(needs("systemd-tmpfiles"), f"--root={host}", "--create", PACKAGING / "tmpfiles.conf")
    assert file.read_text() == "{}\n"


@pytest.fixture
def rotated(tmp_path):
    """Rotate the outcome file of a user, whose uid is 65534; give its folder."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root gives files to others")
    folder = tmp_path / "outcomes.d"
    folder.mkdir(mode=0o755)
    file = folder / "alice.jsonl"
    file.write_text('{"job":"a","status":"success"}\n')
    file.chmod(0o600)
    os.chown(file, 65534, 65534)
    rules = tmp_path / "rules"
    text = (PACKAGING / "logrotate.conf").read_text()
    rules.write_text(text.replace("/var/lib/cronverifyd", str(tmp_path)))
    before = file.stat().st_ino
    done = run(needs("logrotate"), "--force", "--state", tmp_path / "kept", rules)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, before


def test_rotation_renames_and_copies_nothing(rotated):
    folder, inode = rotated
    assert (folder / "alice.jsonl.1").stat().st_ino == inode
    assert (folder / "alice.jsonl.1").read_text() == '{"job":"a","status":"success"}\n'


def test_the_new_file_belongs_to_the_same_user_alone(rotated):
    folder, _ = rotated
    status = (folder / "alice.jsonl").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode), status.st_size) == (65534, 0o600, 0)


def test_the_configuration_that_is_installed_is_a_good_one():
    config = load(PACKAGING / "config.toml")
    assert str(config.daemon.state_dir) == "/var/lib/cronverifyd/state"
    assert config.daemon.outcomes == ("/var/lib/cronverifyd/outcomes.d/*.jsonl",)
    assert [channel.kind for channel in config.channels.values()] == ["console"]
