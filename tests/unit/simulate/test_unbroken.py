"""Ctrl-C between two events of a live shop: whoever is asked to end has counted what was sent."""

import os
import signal

import pytest

from ebb.simulate.unbroken import unbroken


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def sent_until_asked(asked: int) -> list[str]:
    """What is done of an event in which Ctrl-C is pressed so often, and of the next."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _send(done, asked)
    return done


def _send(done: list[str], asked: int) -> None:
    with unbroken() as parts:
        for event in ("first", "second"):
            with parts:
                done.append(f"{event} begun")
                for _ in range(asked):
                    ctrl_c()
                done.append(f"{event} counted")


def test_what_has_begun_is_done_before_it_ends():
    assert sent_until_asked(1) == ["first begun", "first counted"]


def test_a_second_one_does_not_wait():
    assert sent_until_asked(2) == ["first begun"]


def _wait(done: list[str]) -> None:
    with unbroken():
        ctrl_c()
        done.append("waited")


def test_between_two_it_ends_at_once_and_afterwards_it_does_what_it_did():
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _wait(done)
    assert not done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _fail() -> None:
    with unbroken() as parts, parts:
        ctrl_c()
        raise ValueError("kafka is away")


def test_what_fails_meanwhile_is_said():
    with pytest.raises(ValueError, match="kafka is away"):
        _fail()
