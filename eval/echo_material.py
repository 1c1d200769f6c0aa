"""
What else sounds while the robot speaks, in the scenes of ``python -m eval echo``.

Owns the kinds of scenes and what is to be heard in each. Knows no room and no ears.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, zip_longest
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.speech.engines import EspeakNg
from eval.echo_scenes import go_over
from eval.scenes import cut_event
from eval.speech_clips import read_speech
from held_out.classes import accepted_labels, kind_of, robot_rules
from held_out.clips import RATE, HeldOutClip, by_label, load, side_of
from held_out.splits import chance_of
from train.sounds.signals import NAMES, SIGNALS, make_dry

__all__ = ['KINDS', 'list_scenes']

ALARMS = ('smoke_alarm', 'fire_alarm', 'siren', 'glass_break', 'baby_cry', 'dog_bark', 'doorbell',
          'scream', 'car_horn')
CALLS = ('Stop.', 'Stop talking.', 'Be quiet.')
CALLERS = tuple(f'{accent}+{variant}' for accent in ('en-us', 'en-gb')
                for variant in ('m1', 'm3', 'm7', 'f1', 'f2', 'f4'))
KINDS = ('alarm', 'signal', 'call', 'word', 'speech', 'silence', 'monologue')
STANDARDS = tuple(name for name in NAMES if SIGNALS[name].label in ('smoke_alarm', 'fire_alarm'))
WORDS = ('off', 'left', 'house', 'marvin', 'learn', 'one')


def list_scenes(items: Sequence[HeldOutClip], count: int) -> Iterator[tuple[
        str, str, float, dict[str, Any], Callable[[], np.ndarray | None]]]:
    """Yield kind, name, ratio, what is to be heard and how the other sound is made."""
    known = robot_rules()
    sounds = [item for item in items if item.label in ALARMS and kind_of(item) == 'event'
              and side_of(item) == 'test' and not item.generated]
    alarms = _one_of_each(by_label(sounds), count)
    for item, (name, ratio) in zip(alarms, go_over([item.name for item in alarms]), strict=True):
        yield 'alarm', name, ratio, {
            'accepts': sorted(accepted_labels(item.label, known)), 'label': item.label,
            'group': item.group}, partial(_cut_alarm, item)
    yield from _list_signals(count, known)
    calls = [(CALLERS[place % len(CALLERS)], CALLS[(place + place // 3) % len(CALLS)])
             for place in range(min(count, len(CALLERS) * len(CALLS)))]
    for (voice, text), (name, ratio) in zip(calls, go_over([f'{voice} {text}' for voice, text
                                                            in calls]), strict=True):
        yield 'call', name, ratio, {'word': text, 'group': voice}, partial(
            _call, voice, text)
    spoken = [item for item in items if item.label == 'speech_word' and item.text in WORDS]
    words = _one_of_each({word: [item for item in spoken if item.text == word]
                          for word in WORDS}, count)
    for item, (name, ratio) in zip(words, go_over([item.name for item in words]), strict=True):
        yield 'word', name, ratio, {'word': item.text, 'group': item.group}, partial(
            load, item.path)
    people = [clip for clip in read_speech(items) if clip.kind != 'word']
    clips = _one_of_each({kind: [clip for clip in people if clip.kind == kind]
                          for kind in sorted({clip.kind for clip in people})}, count)
    for clip, (name, ratio) in zip(clips, go_over([clip.name for clip in clips]), strict=True):
        yield 'speech', name, ratio, {'text': clip.text, 'group': clip.group}, partial(
            load, clip.path)
    for kind in ('silence', 'monologue'):
        for number in range(count):
            yield kind, f'{kind} {number}', 0.0, {'group': str(number)}, lambda: None


def _list_signals(count: int, known: AlertRules) -> Iterator[Any]:
    names = [f'{STANDARDS[place % len(STANDARDS)]} {place // len(STANDARDS)}'
             for place in range(count)]
    for name, ratio in go_over(names):
        signal = name.split()[0]
        label = SIGNALS[signal].label
        yield 'signal', name, ratio, {
            'accepts': sorted(accepted_labels(label, known)), 'label': label, 'group': name,
            }, partial(_make_signal, signal, name)


def _make_signal(signal: str, name: str) -> np.ndarray:
    seed = np.random.default_rng(round(chance_of(name, 'signal') * 2 ** 32))
    return make_dry(signal, seed, seconds=6.0)


def _cut_alarm(item: HeldOutClip) -> np.ndarray:
    return cut_event(item)[:5 * RATE]


def _one_of_each(groups: Mapping[str, Sequence[Any]], count: int) -> list[Any]:
    """Return so many, one of each group after the other."""
    rows = zip_longest(*groups.values())
    return list(islice((item for row in rows for item in row if item is not None), count))


def _call(voice: str, text: str) -> np.ndarray:
    import soxr
    spoken = EspeakNg(voice_en=voice).speak(text, 'en')
    return np.asarray(soxr.resample(spoken.samples, spoken.rate_hz, RATE), np.float32)


