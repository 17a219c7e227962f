"""What the parts of the engine share: one store, and what is kept at hand of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronverifyd.engine.calendars import Calendars
    from cronverifyd.engine.causes import Causes
    from cronverifyd.engine.drills import Drills
    from cronverifyd.engine.findings import Findings
    from cronverifyd.engine.measuring import Measuring
    from cronverifyd.engine.sight import Sight
    from cronverifyd.engine.teller import Teller
    from cronverifyd.scope import Scope
    from cronverifyd.store.sqlite import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledgers:
    """The scope and the store, and all that is kept of them."""

    scope: Scope
    store: Store
    calendars: Calendars
    sight: Sight
    findings: Findings
    measuring: Measuring
    causes: Causes
    teller: Teller
    drills: Drills
