"""Cron, clock, zone, disks and limits: each fault is found, on this host where it can be made."""

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cronverifyd.doctor.checks import host as checks
from cronverifyd.doctor.facts import Clock, Cron
from cronverifyd.doctor.finding import Level
from cronverifyd.doctor.look import host
from tests.builders import at
from tests.doctor.place import the_one, worst

NOON = at("12:00")
CLOCK = Clock(now=NOON, synchronised=True, booted_at=at("08:00"), booted_then=at("08:00"))
CRON = Cron(running=True, service="cron", at_boot=True, pid=7, started_at=at("08:00"))


def now():
    return datetime.now(UTC)


@pytest.fixture
def tmpfs(installed):
    """Mount a file system of 1 MB on the state folder; give what remounts it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    target = str(installed.state)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0750", "none", target]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", target], check=True)
    subprocess.run(["umount", target], check=True)


def test_a_full_disk_is_bad(installed, tmpfs):
    with pytest.raises(OSError, match="No space"):
        (installed.state / "large").write_bytes(b"x" * 2_000_000)
    said = the_one(list(checks.disks(host.disks(installed.load(), now()))), Level.BAD)
    assert f"{installed.state} is full: 0 MB of 1 MB" in said.text


def test_a_read_only_disk_is_bad_and_its_remedy_mends_it(installed, tmpfs, paste):
    tmpfs("ro")
    said = the_one(list(checks.disks(host.disks(installed.load(), now()))), Level.BAD)
    assert "read-only" in said.text
    paste(said.remedy)
    (installed.state / "again").write_text("x")
    assert "read-only" not in str(list(checks.disks(host.disks(installed.load(), now()))))


def test_a_disk_with_little_room_is_a_warning(installed):
    disk = host.disks(installed.load(), now())[0]
    little = replace(disk, volume=replace(disk.volume, size_bytes=10**12, free_bytes=10**8))
    assert "nearly full: 100 MB" in the_one(list(checks.disks([little])), Level.WARNING).text


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        pytest.param({}, Level.OK, "cron runs (pid 7)", id="runs"),
        pytest.param({"running": False}, Level.BAD, "is installed and not", id="is down"),
        pytest.param({"running": None}, Level.WARNING, "are hidden", id="cannot be seen"),
        pytest.param({"at_boot": False}, Level.WARNING, "not started at boot", id="not enabled"),
        pytest.param(
            {"running": False, "service": None}, Level.WARNING, "no cron is", id="not installed"
        ),
    ],
)
@pytest.mark.parametrize("systemd", [True, False])
def test_what_is_said_of_cron(changed, level, words, systemd):
    said = list(checks.cron(replace(CRON, **changed), systemd=systemd))
    assert worst(said) is level
    assert words in the_one(said, level).text
    if level is Level.BAD:
        remedy = "systemctl enable --now cron" if systemd else "service cron start"
        assert the_one(said, level).remedy == remedy


def test_the_cron_of_this_host_is_found_as_the_process_table_has_it():
    there = subprocess.run(["pgrep", "-xu", "root", "cron"], check=False, capture_output=True)
    found = host.cron(now())
    assert found.running is bool(there.stdout)
    assert (found.service is not None) is os.access("/usr/sbin/cron", os.X_OK)


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        pytest.param({}, Level.OK, "steady", id="good"),
        pytest.param({"synchronised": False}, Level.WARNING, "nothing keeps", id="not kept"),
        pytest.param({"newest": at("12:00:30")}, Level.OK, "steady", id="a moment ahead"),
        pytest.param({"newest": at("18:00")}, Level.BAD, "6 h behind", id="set back"),
        pytest.param({"booted_at": at("14:00")}, Level.WARNING, "forward by 6 h", id="forward"),
        pytest.param({"booted_at": at("07:59")}, Level.WARNING, "back by 1 min", id="back"),
        pytest.param({"booted_at": at("08:00:03")}, Level.OK, "steady", id="slewed"),
        pytest.param({"booted_then": None}, Level.OK, "steady", id="the boot is not known"),
    ],
)
def test_what_is_said_of_the_clock(changed, level, words):
    said = list(checks.clock(replace(CLOCK, **changed)))
    assert worst(said) is level
    assert words in the_one(said, level).text


def test_the_boot_of_this_host_is_known_again():
    first = host.clock(now(), {}, None)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    again = host.clock(now(), {boot: first.booted_at - timedelta(hours=6)}, None)
    said = [each.text for each in checks.clock(replace(again, synchronised=True))]
    assert said == ["the clock was set forward by 6 h since the boot"]


def test_a_job_of_another_zone_is_a_warning(installed):
    installed.write(jobs='[jobs.a]\nschedule = "0 3 * * *"\ntimezone = "Asia/Tokyo"\n')
    zone = host.zone(installed.load(), now())
    zone = replace(zone, host="Etc/UTC", offsets=(0.0,) * len(zone.offsets))
    assert "a (Asia/Tokyo)" in the_one(list(checks.zone(zone, CRON)), Level.WARNING).text
    installed.write(jobs='[jobs.a]\nschedule = "0 3 * * *"\ntimezone = "Africa/Abidjan"\n')
    zone = replace(host.zone(installed.load(), now()), host="Etc/UTC", set_at=None)
    zone = replace(zone, offsets=(0.0,) * 13)
    assert worst(list(checks.zone(zone, CRON))) is Level.OK


def test_zones_that_differ_only_in_summer_differ(installed):
    installed.write(jobs='[jobs.a]\nschedule = "0 3 * * *"\ntimezone = "Europe/London"\n')
    zone = host.zone(installed.load(), at("2024-01-10T00:00:00+00:00"))
    zone = replace(zone, host="Etc/UTC", offsets=(0.0,) * len(zone.offsets), set_at=None)
    assert worst(list(checks.zone(zone, CRON))) is Level.WARNING


def test_a_cron_that_was_started_before_the_zone_was_set_is_bad(installed):
    zone = host.zone(installed.load(), now())
    assert zone.set_at is not None
    late = replace(CRON, started_at=zone.set_at - timedelta(days=1))
    said = list(checks.zone(zone, late))
    assert the_one(said, Level.BAD).remedy == "service cron restart"
    early = replace(CRON, started_at=zone.set_at + timedelta(days=1))
    assert worst(list(checks.zone(zone, early))) is not Level.BAD


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        pytest.param({}, Level.OK, "watches", id="enough"),
        pytest.param({"watches": 8}, Level.WARNING, "max_user_watches is 8", id="few watches"),
        pytest.param({"instances": 2}, Level.WARNING, "max_user_instances is 2", id="instances"),
        pytest.param({"watches": None}, Level.OK, "watches", id="not known"),
    ],
)
def test_what_is_said_of_limits(installed, changed, level, words):
    said = list(checks.limits(replace(host.limits(installed.load(), None), **changed)))
    assert words in the_one(said, level).text


def test_a_process_that_may_open_few_files_is_bad(installed):
    with subprocess.Popen(
        ["/bin/sh", "-c", "ulimit -n 20; echo; exec cat"], stdin=-1, stdout=-1
    ) as it:
        it.stdout.readline()
        said = the_one(list(checks.limits(host.limits(installed.load(), it.pid))), Level.BAD)
        it.stdin.close()
    assert f"the daemon (pid {it.pid}) may open 20 files" in said.text
