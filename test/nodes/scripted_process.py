"""
Runs one node with a scripted model, as a process of its own: ``scripted_process.py NODE …``.

Not a test. Environment: SCRIPT = JSON {lane: {chunk: text}}, STEP_S = seconds per decoder
step, MODEL_ID = identity of the model, LOAD_S = seconds that loading takes.
"""

import json
import os
import sys
import time
import types

from audio_interaction_ros.nodes import assistant, halves, running
from audio_interaction_ros.nodes.decoder_node import DecoderNode
from audio_interaction_ros.nodes.encoder_node import EncoderNode
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.registry import Runtime
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedEncoder


class SlowDecoder(ScriptedDecoder):
    """Takes its time."""

    step_s = 0.0

    def step(self, requests):
        time.sleep(self.step_s)
        return super().step(requests)


def scripted(_model=None, *, script=None, step_s=None, model_id=None, translations=None):
    """Return a runtime that says what its script says."""
    time.sleep(float(os.environ.get('LOAD_S', 0.0)))
    script = script if script is not None else json.loads(os.environ.get('SCRIPT', '{}'))
    model_id = model_id or os.environ.get('MODEL_ID', 'scripted')
    decoder = SlowDecoder(model_id=model_id, translations=translations, script={
        int(lane): {int(at): (Emotion.URGENT if text.endswith('!') else Emotion.NORMAL, text)
                    for at, text in cues.items()} for lane, cues in script.items()})
    decoder.step_s = float(os.environ.get('STEP_S', 0.0)) if step_s is None else step_s
    return Runtime(encoder=ScriptedEncoder(model_id=model_id), decoder=decoder,
                   config=types.SimpleNamespace(prompts={}, thresholds={},
                                                min_confidence={}, slots={}))


def main():
    """Run the node that the first argument names."""
    name, *rest = sys.argv[1:]
    if name == 'assistant':
        halves.node_command = lambda name: [sys.executable, __file__, name]
        return assistant.main(rest, runtime=scripted)
    kind = {'encoder_node': EncoderNode, 'decoder_node': DecoderNode}[name]
    return running.run(lambda: [kind(runtime=scripted)], [name, *rest])


if __name__ == '__main__':
    raise SystemExit(main())
