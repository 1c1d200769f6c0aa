"""The machine answers every token in every phase, and always comes back to listening."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import SCRIPTED_TOKEN_IDS as IDS
from audio_interaction_ros.stream.machine import Machine, Outcome, Phase, State, is_loop

pytestmark = pytest.mark.unit


def machine(budget=20):
    return Machine(ids=IDS, max_reply_tokens=budget)


def speaking():
    state = State()
    machine().on_token(state, IDS.respond)
    return state


@given(st.lists(st.integers(-5, 400), max_size=80))
def test_every_token_gives_an_outcome(tokens):
    """Whatever comes, the phase is legal, the outcome fits it, and replies are bounded."""
    state, one = State(), machine()
    for token in tokens:
        before = state.phase
        outcome = one.on_token(state, token)
        if before is Phase.LISTENING:
            assert outcome is (Outcome.STARTED if token == IDS.respond else Outcome.SILENCE)
        else:
            assert outcome not in (Outcome.STARTED, Outcome.SILENCE)
        assert (state.phase is Phase.SPEAKING) == (
            outcome in (Outcome.STARTED, Outcome.EMOTION, Outcome.TEXT))
        assert len(state.tokens) <= 20
        assert len(state.pending) in (1, 2)
        if outcome.is_end:
            assert state.pending[-1] == IDS.text_end


def test_an_emotion_counts_only_as_the_first_token():
    """A second one ends the reply, as any structural id does."""
    state = speaking()
    assert machine().on_token(state, IDS.emotions[Emotion.URGENT]) is Outcome.EMOTION
    assert state.emotion is Emotion.URGENT
    assert machine().on_token(state, IDS.emotions[Emotion.SAD]) is Outcome.END


def test_the_budget_forces_the_end_into_the_context():
    """The last token and the end token wait to be fed."""
    state, one = State(), machine(budget=3)
    one.on_token(state, IDS.respond)
    assert [one.on_token(state, token) for token in (1, 2, 3)] == [
        Outcome.TEXT, Outcome.TEXT, Outcome.BUDGET]
    assert state.pending == [3, IDS.text_end]


def test_cancel_ends_a_reply_and_only_a_reply():
    """Cancelling while listening does nothing."""
    state = speaking()
    machine().on_token(state, 65)
    assert machine().cancel(state) is Outcome.CANCEL
    assert state.pending == [65, IDS.text_end]
    assert machine().cancel(state) is None


@pytest.mark.parametrize(('text', 'loops'), [
    ('aaaaaaaaa', True), ('the the the the the the the the ', True),
    ('no no', False), ('a normal sentence, with some words in it', False), ('1000000', False)])
def test_loops(text, loops):
    """A run repeated over and over is a loop, ordinary repetition is not."""
    assert is_loop(list(text.encode())) is loops
