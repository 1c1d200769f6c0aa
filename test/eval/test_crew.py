"""Several processes hear as one does."""

from types import SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.registry import Runtime
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedEncoder
from eval.crew import Crew, CrewError
from eval.listening import Listener

pytestmark = pytest.mark.unit

LANES = (LaneConfig(name='assistant', threshold=0.5, max_reply_tokens=24),)


class EveryThird(ScriptedDecoder):
    """Replies to a chunk whose mel has its maximum in the upper half of a small range."""

    def __init__(self):
        super().__init__(script={}, max_positions=512)

    def _decide(self, request, at):
        heard = request.features[int(np.count_nonzero(request.feature_index < at)) - 1]
        self._cued[request.lane] = (Emotion.URGENT, f'{heard[1]:.2f}')
        return (0.0, 1.0) if int(heard[1] * 100) % 3 == 0 else (1.0, 0.0)


def made():
    return Runtime(encoder=ScriptedEncoder(), decoder=EveryThird(),
                   config=SimpleNamespace(prompts={}, thresholds={}))


def broken():
    raise ValueError('no such weights')


def streams(parts):
    return [(f's{i}', parts.hiss(1.0 + 1.3 * i, level=0.02 * (1 + i), seed=i)) for i in range(6)]


def decided(heard):
    return {place: ([(reply.at, reply.text) for reply in one.replies], one.p)
            for place, one in heard}


def test_two_processes_hear_as_one_and_keep_what_they_heard(parts, tmp_path):
    alone = Listener(made(), LANES, cache=tmp_path / 'a')
    expected = decided(alone.hear_all(streams(parts)))
    assert sum(len(replies) for replies, _ in expected.values()) > 3
    crew = Crew(make=made, processes=2, streams=2)
    listener = Listener(made(), LANES, cache=tmp_path / 'b', crew=crew)
    assert decided(listener.hear_all(streams(parts))) == expected and listener.fresh == 6
    again = Listener(broken_after_all(), LANES, cache=tmp_path / 'b', crew=crew)
    assert decided(again.hear_all(streams(parts))) == expected and again.fresh == 0


def broken_after_all():
    """Return a model that is as the first by its name and must not be asked."""
    runtime = made()
    return Runtime(encoder=ScriptedEncoder(), decoder=SimpleNamespace(spec=runtime.decoder.spec),
                   config=runtime.config)


def test_a_process_that_fails_says_why(parts, tmp_path):
    listener = Listener(made(), LANES, cache=tmp_path / 'c', crew=Crew(
        make=broken, processes=2, streams=2))
    with pytest.raises(CrewError, match='no such weights'):
        list(listener.hear_all(streams(parts)))
