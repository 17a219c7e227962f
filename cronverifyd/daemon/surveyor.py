"""Measure artifacts: reading a gigabyte must not hold up the main loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.host.artifacts import measure
from cronverifyd.model import Artifact, Measured

if TYPE_CHECKING:
    from cronverifyd.model import Measure


def survey(request: Measure) -> Measured:
    """Measure; whatever goes wrong in it is what was found."""
    try:
        return measure(request)
    except Exception as error:  # noqa: BLE001 (the thread's edge: one odd file stops no other)
        fault = f"could not be measured: {type(error).__name__}"
        made = tuple(Artifact(rule=rule.path, fault=fault) for rule in request.rules)
        return Measured(job=request.run.job, run=request.run.run, artifacts=made)
