"""
The offline protocol: the whole recording first, then the answer, in the layout of the paper.

``prompt, audio, user, reply``: A_T_T where there is a question in writing, else A_T. Nothing is
decided, so a model answers always. A tower that hears one chunk at a time hears windows of two
seconds here, as the release does; another one hears its own windows. Owns this way to ask, and
keeps what was answered. Knows no rule.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AssistantConfig, AudioConfig, LaneConfig
from audio_interaction_ros.protocol import Block, reply_block, task_block
from audio_interaction_ros.runtimes.base import Allowed, Decoder, Runtime, StepRequest, Tokenizer
from audio_interaction_ros.stream.detokenizer import Detokenizer
from audio_interaction_ros.stream.machine import Machine, Phase, State
from eval.suites.items import Answered, Said, SuiteItem
from eval.suites.questions import phrase_question, read_recording
from held_out.clips import RATE
from measure import report
from measure.kept_lines import KeptLines

__all__ = ['LONGEST_S', 'answer_offline', 'encode_whole', 'lay_out', 'write_reply']

LONGEST_S = 20.0
"""Longer recordings are cut here, as in the training of the release."""


def answer_offline(runtime: Runtime, items: Sequence[SuiteItem], lane: LaneConfig, cache: Path,
                   variant: str) -> list[Answered]:
    """Return every item with the answer to it; what was answered before is in ``cache``."""
    # Hearings of the other protocol may stand in the same file.
    known = KeptLines[str](cache, from_row=itemgetter('offline'),
                           to_row=lambda text: {'offline': text})
    answered = list[Answered]()
    for item in report.track('asking offline', items):
        samples = read_recording(item)[:round(LONGEST_S * RATE)]
        key = _key(runtime, lane, variant, item, samples)
        text = known.find(key, partial(_answer, runtime, lane, item, samples))
        seconds = len(samples) / RATE
        said = (Said(seconds, text),) if text else ()
        answered.append(Answered(item=item, text=text, said=said, seconds=seconds))
    return answered


def _answer(runtime: Runtime, lane: LaneConfig, item: SuiteItem, samples: np.ndarray) -> str:
    features = encode_whole(runtime, samples)
    block = lay_out(runtime, lane, item, len(features))
    return _write_out(runtime.tokenizer, write_reply(
        runtime.decoder, block, features, lane.max_reply_tokens))


def lay_out(runtime: Runtime, lane: LaneConfig, item: SuiteItem, features: int) -> Block:
    """Return what stands before the reply to an item with a recording of so many features."""
    written = bool(item.choices) and not item.groups.get('asked by')
    encode = runtime.tokenizer.encode
    return task_block(runtime.decoder.spec.token_ids, encode(lane.prompt), features=features,
                      source=encode(phrase_question(item)) if written else ())


def encode_whole(runtime: Runtime, samples: np.ndarray) -> np.ndarray:
    """Return features [N, width] float32 of samples [n] at 16 kHz, filled up to whole chunks."""
    encoder = runtime.encoder
    samples = np.pad(samples, (0, -len(samples) % encoder.spec.chunk_size.samples))
    tower: Any = getattr(encoder, 'tower', None)
    if tower is not None and tower.config.window_frames == tower.config.chunk_size.frames:
        return _encode_windows(tower, samples, runtime.config)
    encoder.reset()
    pipeline = build_pipeline(AssistantConfig(audio=AudioConfig(quiet_below_dbfs=-200.0)),
                              encoder, taught=())
    block = AudioBlock(samples=samples, sample_rate_hz=RATE, stamp_ns=0)
    heard = [*pipeline.push(block), *pipeline.flush(0.0)]
    chunks = len(samples) // encoder.spec.chunk_size.samples
    return np.concatenate([chunk.features for chunk in heard[:chunks]])


def _encode_windows(tower: Any, samples: np.ndarray, config: Any) -> np.ndarray:
    import torch

    from train.trainer.features import encode, offline_windows
    weight = next(tower.parameters())
    with torch.inference_mode():
        made = [tower.project(encode(tower, torch.from_numpy(windows).to(weight)))
                for windows in offline_windows(samples, config)]
    return np.concatenate([part.reshape(-1, part.shape[-1]).float().cpu().numpy()
                           for part in made])


def write_reply(decoder: Decoder, block: Block, features: np.ndarray,
                most_tokens: int) -> list[int]:
    """
    Return the ids that a decoder writes after a block with features [N, width], greedily.

    It is opened anew, with one lane. The end is not among them.
    """
    slots = len(block.ids) + most_tokens
    decoder.open(lanes=1, slots=slots)
    machine, state = Machine(ids=decoder.spec.token_ids, max_reply_tokens=most_tokens), State(
        phase=Phase.SPEAKING)
    fed, none = 0, np.zeros((0, decoder.spec.feature_width), np.float32)
    while state.phase is Phase.SPEAKING:
        places = np.arange(fed, fed + len(block.ids))
        result, = decoder.step([StepRequest.of_block(
            block, lane=0, slots=places, positions=places, visible=np.arange(slots) < fed,
            features=none if fed else features.astype(np.float32), allowed=Allowed.TEXT)])
        assert result.token is not None, 'a text was asked for'
        machine.on_token(state, result.token)
        fed, block = fed + len(block.ids), reply_block([result.token])
    return state.tokens


def _write_out(tokenizer: Tokenizer, tokens: Sequence[int]) -> str:
    text = Detokenizer()
    for token in tokens:
        text.push(tokenizer.token_bytes(token))
    return text.text.strip()


def _key(runtime: Runtime, lane: LaneConfig, variant: str, item: SuiteItem,
         samples: np.ndarray) -> str:
    parts = [runtime.encoder.spec.model_id, runtime.decoder.spec.model_id, variant, lane.prompt,
             lane.max_reply_tokens, phrase_question(item),
             hashlib.sha256(samples.astype('<f4').tobytes()).hexdigest()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
