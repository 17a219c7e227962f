"""Debian's own cron under libfaketime, in a mount namespace of its own: what did it start, when?"""

import os
import subprocess
import sysconfig
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

FAKETIME = Path(
    "/usr/lib", sysconfig.get_config_var("MULTIARCH") or "", "faketime/libfaketime.so.1"
)
SPEED = 40
"""One second of ours is a minute of cron's; the canary job shows that it lost none."""

# Everything that cron reads or writes is hidden behind mounts that only this process sees.
_SCRIPT = """
set -e
mount -t tmpfs tmpfs /var/spool/cron/crontabs
mount -t tmpfs tmpfs /etc/cron.d
mount -t tmpfs tmpfs /run
mount --bind "$FOLDER/empty" /etc/crontab
cp "$FOLDER/crontab" /var/spool/cron/crontabs/root
chmod 600 /var/spool/cron/crontabs/root
cp "/usr/share/zoneinfo/$TZ" "$FOLDER/localtime"
mount --bind "$FOLDER/localtime" "$(readlink -f /etc/localtime)"
date +%s.%N > "$FOLDER/began"
LD_PRELOAD="$LIBRARY" FAKETIME="@$START x$SPEED" exec /usr/sbin/cron -f
"""


@dataclass(frozen=True)
class Night:
    """Some hours of a zone's wall clock, from a start that is not ambiguous."""

    zone: str
    start: str
    minutes: int

    @property
    def began(self) -> datetime:
        return datetime.fromisoformat(self.start).replace(tzinfo=ZoneInfo(self.zone))


class CronRun:
    """One cron, started now and read when its night is over."""

    def __init__(self, night: Night, expressions: list[str], folder: Path) -> None:
        self._night = night
        self._folder = folder
        self._count = len(expressions)
        folder.mkdir()
        (folder / "empty").touch()
        lines = ["SHELL=/bin/sh", 'MAILTO=""']
        for number, expression in enumerate(["* * * * *", *expressions]):
            # The jobs' clock is the real one: cron cleans their environment.
            lines.append(f"{expression} echo {number} $(date +\\%s.\\%N) >> {folder}/starts")
        (folder / "crontab").write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _SCRIPT],
            env={
                "PATH": os.environ["PATH"],
                "TZ": night.zone,
                "FOLDER": str(folder),
                "LIBRARY": str(FAKETIME),
                "START": night.start.replace("T", " "),
                "SPEED": str(SPEED),
            },
            stderr=subprocess.PIPE,
        )
        self._until = time.monotonic() + night.minutes * 60 / SPEED

    def starts(self) -> list[Counter[int]]:
        """Wait for the end of the night; give, for the canary and each expression, the starts.

        Each counter's keys are minutes of UTC, as seconds since 1970.
        """
        try:
            self._process.wait(max(0.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.terminate()
        error = self._process.communicate()[1].decode()
        starts = self._folder / "starts"
        if not starts.exists():
            raise AssertionError(f"cron started nothing: {error}")
        began = float((self._folder / "began").read_text())
        counted = [Counter() for _ in range(self._count + 1)]
        for line in starts.read_text().splitlines():
            number, real = line.split()
            fake = self._night.began.timestamp() + (float(real) - began) * SPEED
            counted[int(number)][int(fake // 60) * 60] += 1
        return counted
