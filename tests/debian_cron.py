"""What a test with Debian's own cron needs of the machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CRON = Path("/usr/sbin/cron")


def require_cron(verified, packages=()):
    """Skip with a loud reason what cannot be tested here; fail where CI demands it.

    `verified`: what is not, if this is skipped. `packages`: pairs of a further file and the Debian
    package that brings it.
    """
    why = _missing([(CRON, "cron"), *packages])
    if why is None:
        return
    if os.environ.get("CRONVERIFYD_REQUIRE_CRON"):
        pytest.fail(f"the real cron is required, but {why}")
    pytest.skip(f"{verified}: {why}")


def _missing(packages):
    if os.geteuid() != 0:
        return "only root may make a mount namespace"
    for file, package in packages:
        if not file.exists():
            return f"{file} is absent (Debian package {package})"
    if shutil.which("unshare") is None:
        return "unshare is absent (Debian package util-linux)"
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else "unshare --mount is forbidden here"
