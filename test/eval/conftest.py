"""Tiny recordings, and a model that replies to what is loud."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.checkpoints.config import lanes_by_setting
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)

RATE = 16_000
HELD_OUT = 'speaker 1'
"""A name that the recipe's hash puts aside; SEEN is one that it trains on."""
SEEN = 'speaker 0'


class LoudDecoder(ScriptedDecoder):
    """Replies to chunks whose mean mel is above a level, one reply per rise."""

    def __init__(self, *, text='Smoke alarm.', level=1.0, emotion=Emotion.URGENT):
        super().__init__(script={}, max_positions=4096)
        self._text, self._level, self._emotion = text, level, emotion

    def open(self, *, lanes, slots):
        super().open(lanes=lanes, slots=slots)
        self._was_loud = [False] * lanes

    def _decide(self, request, at):
        heard = request.features[int(np.count_nonzero(request.feature_index < at)) - 1]
        loud = heard[1] > self._level
        rises, self._was_loud[request.lane] = loud and not self._was_loud[request.lane], loud
        self._cued[request.lane] = (self._emotion, self._text)
        return (-2.0, 2.0) if rises else (3.0, -3.0)


def loud_runtime(text='Smoke alarm.', level=1.0, prompts=None, emotion=Emotion.URGENT):
    decoder = LoudDecoder(text=text, level=level, emotion=emotion)
    return Runtime(encoder=ScriptedEncoder(), decoder=decoder, tokenizer=ScriptedTokenizer(),
                   config=SimpleNamespace(
                       lanes=lanes_by_setting(prompts=prompts or {})))


def tone(seconds, pitch=1000.0, level=0.3):
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def hiss(seconds, level=0.001, seed=0):
    return (level * np.random.default_rng(seed).standard_normal(
        round(seconds * RATE))).astype(np.float32)


def write_folder(folder, clips):
    """Write (path, samples, fields) as files and manifest.jsonl; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for path, samples, fields in clips:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / path, samples, RATE)
        rows.append({'path': path, 'seconds': len(samples) / RATE, 'licence_group': 'unstated',
                     'source_id': path, **fields})
    (folder / 'manifest.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return folder


def small_folder(folder):
    """Write two alarms, a cough and two backgrounds."""
    return write_folder(folder, [
        ('sounds/a.wav', tone(1.0), {'label': 'smoke_alarm'}),
        ('sounds/b.wav', tone(1.5, 2000), {'label': 'smoke_alarm'}),
        ('sounds/c.wav', tone(0.8, 500), {'label': 'cough'}),
        ('bed/a.wav', hiss(20), {'label': 'background_room'}),
        ('bed/b.wav', hiss(15, seed=1), {'label': 'background_rain'})])


@pytest.fixture
def parts():
    """Return everything here, for tests cannot import one another's helpers."""
    return SimpleNamespace(**globals())
