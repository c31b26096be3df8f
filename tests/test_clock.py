"""Waiting that ends early: when a bell rings, or with an event."""

from __future__ import annotations

import asyncio
import threading

import pytest

from airflow_provider_mlworkflows.clock import Bell, BellRungError, Clock


def test_call_that_comes_to_its_end() -> None:
    assert Bell().outwait(lambda: 7) == 7


def test_error_of_a_call_is_raised_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Bell().outwait(fail)


def test_call_is_given_up_when_the_bell_rings() -> None:
    bell, released, ended = Bell(), threading.Event(), threading.Event()

    def hang() -> None:
        bell.ring()
        released.wait()
        ended.set()

    with pytest.raises(BellRungError):
        bell.outwait(hang)
    assert not ended.is_set()
    released.set()
    assert ended.wait(10)


async def test_sleep_in_a_loop_ends_with_an_event() -> None:
    event = asyncio.Event()
    sleeping = asyncio.ensure_future(Clock().asleep_unless(event, 3600))
    await asyncio.sleep(0)
    assert not sleeping.done()
    event.set()
    await sleeping


async def test_sleep_in_a_loop_ends_with_its_time() -> None:
    event = asyncio.Event()
    await Clock().asleep_unless(event, 0)
    assert not event.is_set()
