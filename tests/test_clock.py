"""Waiting that ends when a bell rings."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_mlworkflows.clock import Bell, BellRungError


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
