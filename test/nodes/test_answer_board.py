"""What wakes the robot, in audio time: also before any audio came and after a long pause."""

from types import SimpleNamespace

import pytest
from std_msgs.msg import Empty

from audio_interaction_ros.config import AddressConfig, AssistantConfig
from audio_interaction_ros.nodes.decoding import answer_board
from audio_interaction_ros.nodes.decoding.answer_board import AnswerBoard

pytestmark = pytest.mark.ros

S = 1_000_000_000


@pytest.fixture
def board(monkeypatch):
    """Return a board, the function that wakes it, when answers were woken, and a clock."""
    clock, woken, heard = SimpleNamespace(now=100.0), [], []
    monkeypatch.setattr(answer_board, 'time', SimpleNamespace(monotonic=lambda: clock.now))
    answers = SimpleNamespace(wake=woken.append, tick=lambda now_ns: [], give_up=list,
                              reset=lambda: None)
    node = SimpleNamespace(
        managed_timer=lambda *_, **__: None,
        managed_subscription=lambda kind, topic, callback, *_, **__: heard.append(callback))
    one = AnswerBoard(node=node, answers=answers, group=None, publish=lambda *_: None,
                      cancel=lambda: None,
                      config=AssistantConfig(assistant=AddressConfig(address='after_wake')))
    return SimpleNamespace(board=one, wake=lambda: heard[0](Empty()), woken=woken, clock=clock)


def test_what_wakes_before_any_audio_counts_from_when_it_came(board):
    board.wake()
    assert board.woken == []
    board.clock.now += 3
    board.board.tick(1_000 * S)
    board.board.tick(1_001 * S)
    assert board.woken == [997 * S]


def test_what_wakes_in_a_pause_counts_from_then_and_not_from_the_last_audio(board):
    board.board.tick(1_000 * S)
    board.clock.now += 60
    board.wake()
    assert board.woken == [1_060 * S]


def test_what_woke_before_all_is_given_up_counts_no_more(board):
    board.board.tick(1_000 * S)
    board.board.give_up()
    board.wake()
    assert board.woken == [], 'the next audio may have any time'
    board.board.tick(5 * S)
    assert board.woken == [5 * S]
