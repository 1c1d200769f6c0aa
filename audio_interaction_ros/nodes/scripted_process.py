"""
One node with a scripted model, as a process of its own: ``python -m …scripted_process NODE …``.

For tests and soaks, which start, slow down, stop and kill it. Environment: SCRIPT = JSON
{lane: {chunk: text}}, EVERY = say something on every so many chunks instead, STEP_S = seconds per
decoder step, SLOW_STEP_S = seconds per step between SIGUSR1 and SIGUSR2, MODEL_ID = identity of
the model, LOAD_S = seconds that loading takes.
"""

import faulthandler
import itertools
import json
import os
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rclpy.node import Node

from audio_interaction_ros.nodes import assistant, halves
from audio_interaction_ros.nodes.decoder_node import DecoderNode
from audio_interaction_ros.nodes.encoder_node import EncoderNode
from audio_interaction_ros.nodes.lifecycle import spinning
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.base import Runtime, StepRequest, StepResult
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)

__all__ = ['PeriodicScript', 'SlowDecoder', 'main', 'scripted']

_SAYINGS = ('A smoke alarm is sounding.', 'A dog is barking.', 'Good morning.', 'Well!')


class SlowDecoder(ScriptedDecoder):
    """Takes its time."""

    step_s = 0.0
    slow_step_s = 0.0
    """What a signal adds, to every decoder of this process."""

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """Wait, then answer from the script."""
        time.sleep(self.step_s + SlowDecoder.slow_step_s)
        return super().step(requests)


class PeriodicScript(Mapping[int, tuple[Emotion, str]]):
    """A script without an end: something is said on every so many chunks."""

    def __init__(self, every: int) -> None:
        """Say something on each chunk whose number is divisible by ``every``."""
        self._every = every

    def __getitem__(self, chunk: int) -> tuple[Emotion, str]:
        """Return what is said on a chunk; raises KeyError for those of silence."""
        if chunk % self._every:
            raise KeyError(chunk)
        return _make_cue(_SAYINGS[chunk // self._every % len(_SAYINGS)])

    def __iter__(self) -> Iterator[int]:
        """Count the chunks on which something is said."""
        return itertools.count(0, self._every)

    def __len__(self) -> int:
        """Return a number of chunks that no stream reaches."""
        return sys.maxsize


def _make_cue(text: str) -> tuple[Emotion, str]:
    return (Emotion.URGENT if text.endswith('!') else Emotion.NORMAL, text)


def _make_cues(script: Mapping[Any, Mapping[Any, str]] | None) -> Mapping[int, Any]:
    if script is None and 'EVERY' in os.environ:
        return {lane: PeriodicScript(int(os.environ['EVERY']) + 7 * lane) for lane in range(3)}
    told = json.loads(os.environ.get('SCRIPT', '{}')) if script is None else script
    return {int(lane): {int(at): _make_cue(text) for at, text in cues.items()}
            for lane, cues in told.items()}


def scripted(_model: Any = None, *, script: Mapping[Any, Mapping[Any, str]] | None = None,
             step_s: float | None = None, model_id: str | None = None,
             translations: Mapping[str, str] | None = None,
             sounds: Mapping[int, Mapping[str, float]] | None = None) -> Runtime:
    """
    Return a runtime that says what its script says.

    ``sounds`` maps the number of a chunk to the scores of sounds in it, which are else 0.
    """
    time.sleep(float(os.environ.get('LOAD_S', 0.0)))
    model_id = model_id or os.environ.get('MODEL_ID', 'scripted')
    decoder = SlowDecoder(model_id=model_id, translations=translations, script=_make_cues(script))
    decoder.step_s = float(os.environ.get('STEP_S', 0.0)) if step_s is None else step_s
    config: Any = types.SimpleNamespace(lanes={})
    encoder = ScriptedEncoder(model_id=model_id, sounds=sounds)
    return Runtime(encoder=encoder, decoder=decoder, tokenizer=ScriptedTokenizer(), config=config,
                   sounds=encoder.head)


def main() -> int:
    """Run the node that the first argument names."""
    for number, seconds in ((signal.SIGUSR1, float(os.environ.get('SLOW_STEP_S', 1.0))),
                            (signal.SIGUSR2, 0.0)):
        signal.signal(number, lambda *_, seconds=seconds: setattr(
            SlowDecoder, 'slow_step_s', seconds))
    faulthandler.register(signal.SIGQUIT)  # where every thread is, on the standard error
    name, *rest = sys.argv[1:]
    if name == 'assistant':
        halves.node_command = lambda name: [sys.executable, '-m', __spec__.name, name]
        return assistant.main(rest, runtime=scripted)
    make: dict[str, Callable[..., Node]] = {'encoder_node': EncoderNode,
                                            'decoder_node': DecoderNode}
    return spinning.run(lambda: [make[name](runtime=scripted)], [name, *rest])


if __name__ == '__main__':
    raise SystemExit(main())
