"""The queue of the main loop: rings are joined, and none is lost."""

from enum import Enum, auto

import pytest

from cronverifyd.daemon.bell import Bell
from cronverifyd.errors import StateError
from cronverifyd.model import Look, TriggeredBy


class Order(Enum):
    STOP = auto()


def messages(envelopes):
    return [envelope.message for envelope in envelopes]


def test_rings_that_wait_together_are_one_look_by_the_first():
    bell = Bell()
    bell.ring(TriggeredBy.FILE)
    bell.ring(TriggeredBy.TIMER)
    assert messages(bell.drain()) == [Look(triggered_by=TriggeredBy.FILE)]


def test_what_rings_during_a_look_is_another_look():
    bell = Bell()
    bell.ring(TriggeredBy.FILE)
    bell.take(1)
    bell.ring(TriggeredBy.TIMER)
    assert bell.take(1).message == Look(triggered_by=TriggeredBy.TIMER)


def test_it_still_rings_after_a_waiting_look_was_drained_as_at_a_reload():
    bell = Bell()
    bell.ring(TriggeredBy.FILE)
    bell.drain()
    bell.ring(TriggeredBy.START)
    assert bell.take(1).message == Look(triggered_by=TriggeredBy.START)


def test_orders_are_kept_in_order_and_never_joined():
    bell = Bell()
    bell.put(Order.STOP)
    bell.put(Order.STOP)
    assert messages(bell.drain()) == [Order.STOP, Order.STOP]


def test_silence_is_an_error_for_the_timer_should_have_rung():
    with pytest.raises(StateError, match="the timer is dead"):
        Bell().take(0.01)
