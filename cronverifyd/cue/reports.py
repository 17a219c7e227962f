"""Tell CueAPI what came of an execution, and say what came of telling it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.cue.client import CueError, KeyRefusedError, ThrottledError, UnsureError
from cronverifyd.cue.outcomes import outcome
from cronverifyd.model import Delivery, DeliveryResult, Reported

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronverifyd.cue.client import CueApi
    from cronverifyd.model import Report


def tell(client: CueApi, report: Report, clean: Callable[[str], str]) -> Reported:
    """Report one outcome; raise nothing. `clean` takes secrets out of a text.

    An outcome that is there already counts as sent. A key that is not in force may be in an hour,
    so that is tried again; any other refusal is for good.
    """
    try:
        recorded = client.report_outcome(report.execution, outcome(report.verified, clean))
    except ThrottledError as error:
        wait_s = error.retry_after_s
        delivery = Delivery(result=DeliveryResult.RETRY, error=str(error), retry_after_s=wait_s)
    except (UnsureError, KeyRefusedError) as error:
        delivery = Delivery(result=DeliveryResult.RETRY, error=str(error))
    except CueError as error:
        delivery = Delivery(result=DeliveryResult.REFUSED, error=str(error))
    else:
        receipt = "recorded" if recorded else "was there already"
        delivery = Delivery(result=DeliveryResult.SENT, receipt=receipt)
    return Reported(execution=report.execution, delivery=delivery)
