"""This host, as the engine asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.host.evidence import Evidence
from cronverifyd.host.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cronverifyd.model import HostFacts


class Machine(Processes):
    """The boot, the processes of runs, and the facts; one for as long as the process lives."""

    def __init__(self) -> None:
        super().__init__()
        self._evidence = Evidence()

    def look(self, now: datetime, paths: Sequence[str]) -> HostFacts:
        """Gather the facts. `paths`: whose file systems matter."""
        return self._evidence.look(now, paths)
