"""
``python -m eval echo``: what the robot hears while it speaks, with its voice taken out and not.

Each scene (``echo_scenes``) is heard several times: the other sound alone, with the robot's own
voice, and with that voice taken out by each canceller. Alerts come from sounds by the robot's
detector and policy, words from the reader that shows them while they are spoken. Leaves
``echo.json`` and, line by line, what was heard, so that a run goes on where it was stopped.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.assembly import (
    build_live_words,
    build_pipeline,
    build_reader,
    load_model,
    make_echo_processor,
    read_sound_rules,
)
from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.audio.echo import EchoCanceller
from audio_interaction_ros.audio.linear_echo import LinearEcho
from audio_interaction_ros.audio.overhearing import Overhearing
from audio_interaction_ros.config import AlertsConfig, AssistantConfig, ModelConfig, split_list
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_transcriber
from audio_interaction_ros.speech.engines import EspeakNg, Hibari
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundStarted
from audio_interaction_ros.stream.spoken_word import WordsShown
from audio_interaction_ros.stream.word_steps import finish_all, take_steps
from eval.echo_figures import LINE_UP, figures, print_tables
from eval.echo_scenes import BEGAN_NS, NS, EchoScene, go_over, make_scene
from eval.live_stream import fail
from eval.scenes import cut_event
from eval.speech_clips import read_speech
from held_out.classes import accepted_labels, kind_of, robot_rules
from held_out.clips import RATE, HeldOutClip, by_label, load, read_held_out, side_of
from measure import report

__all__ = ['add_arguments', 'run']

ALARMS = ('smoke_alarm', 'fire_alarm', 'siren', 'glass_break', 'baby_cry', 'dog_bark', 'doorbell',
          'scream', 'car_horn')
CALLS = ('Stop.', 'Stop talking.', 'Be quiet.')
CALLERS = tuple(f'{accent}+{variant}' for accent in ('en-us', 'en-gb')
                for variant in ('m1', 'm3', 'm7', 'f1', 'f2', 'f4'))
KINDS = ('alarm', 'call', 'word', 'speech', 'silence')
WORDS = ('off', 'left', 'house', 'marvin', 'learn', 'one')
BLOCK = RATE // 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--profile', default='home', help='thresholds of sounds (home)')
    parser.add_argument('--scenes', type=int, default=36, metavar='N',
                        help='scenes of each kind: alarm, call, word, speech, silence (36)')
    parser.add_argument('--kinds', nargs='*', default=[*KINDS], choices=KINDS,
                        help='of scenes (default all)')
    parser.add_argument('--hearings', nargs='*', default=[*LINE_UP], choices=LINE_UP,
                        help='in which each scene is heard (default all)')
    parser.add_argument('--lead', type=float, default=40.0, metavar='MS',
                        help='audio.echo_lead_ms (40)')


class EchoListener:
    """The robot's ears, as far as sounds and words that are being spoken go."""

    def __init__(self, options: argparse.Namespace, runtime: Runtime) -> None:
        self._runtime, self._lead_s = runtime, options.lead / 1000
        self._known = robot_rules()
        self._rules = read_sound_rules(AlertsConfig(profile=options.profile), self._known)
        self._transcriber: Any = load_transcriber(threads=options.threads, language='en')

    def hear(self, scene: EchoScene, samples: np.ndarray, *, cancel: str, sounds: bool,
             words: bool) -> dict[str, Any]:
        """
        Return labels that were raised with times, texts, and what was left of the audio.

        ``sounds`` and ``words`` say what to listen for.
        """
        canceller = EchoCanceller(
            LinearEcho() if cancel == 'linear' else make_echo_processor(cancel),
            lead_s=self._lead_s) if cancel else None
        parts: list[AudioChunk] = []
        config = AssistantConfig()
        self._runtime.encoder.reset()
        pipeline = build_pipeline(config, self._runtime.encoder, self._runtime.sounds, (),
                                  canceller=canceller, on_part=parts.append)
        ears = pipeline if sounds else pipeline.frontend
        overhearing, overheard = Overhearing(), list[tuple[float, str]]()
        if canceller is not None and words:
            canceller.on_frame = overhearing.take
        heard: list[Any] = []
        played = scene.played_blocks()
        for at in range(0, len(samples), BLOCK):
            stamp_ns = BEGAN_NS + at * NS // RATE
            if canceller is not None:
                canceller.speaking = True
                while canceller.reference.end_ns < stamp_ns + 200_000_000 and (
                        block := next(played, None)):
                    canceller.reference.push(block)
            heard += ears.push(AudioBlock(
                samples=samples[at:at + BLOCK], sample_rate_hz=RATE, stamp_ns=stamp_ns))
            if overhearing.due:
                overheard += self._read_beneath(overhearing, (at + BLOCK) / RATE)
        heard += ears.flush(1.2)
        left = np.concatenate([part.samples for part in parts])[:len(samples)]
        return {'alerts': self._find_alerts(heard) if sounds else [],
                'texts': self._read(parts) if words else [], 'overheard': overheard,
                'levels': _levels(scene, left)}

    def _read_beneath(self, overhearing: Overhearing, at: float) -> list[tuple[float, str]]:
        """Return what may have been said over the robot's voice, and when it is read."""
        read = self._transcriber.read_window(overhearing.cut_out(), language='en')
        text = ''.join(word.written for word in read.words)
        return [(at, text)] if text else []

    def _find_alerts(self, encoded: Sequence[Any]) -> list[tuple[float, str]]:
        detector, policy = SoundDetector(self._rules), AlertPolicy(self._known)
        policy.note_classes(tuple(self._rules))
        found = []
        for chunk in encoded:
            for event in detector.push(chunk):
                if isinstance(event, SoundStarted):
                    found += [((event.onset_ns - BEGAN_NS) / NS, change.alert.label)
                              for change in policy.on_sound(event)]
        return found

    def _read(self, parts: Sequence[AudioChunk]) -> list[tuple[float, str]]:
        """Return each text, partial or final, and when it was shown (end of the part)."""
        config = AssistantConfig()
        words = build_live_words(config, self._transcriber)
        history = build_reader(config, translates=False)
        assert words is not None, 'Whisper shows words'
        shown = []
        for part in parts:
            history.remember(part)
            words.remember(part)
            steps = [*take_steps(words, history, self._transcriber, fail, read=words.read),
                     *(finish_all(words.finish(), history, self._transcriber, fail)
                       if part is parts[-1] else ())]
            texts = [one.text if isinstance(one, WordsShown) else one.text.text for one in steps]
            shown += [((part.end_ns - BEGAN_NS) / NS, text) for text in texts if text]
        return shown


def _levels(scene: EchoScene, left: np.ndarray) -> list[tuple[float, float]]:
    """Return the power of the echo and of what is left, in each half second before the other."""
    size, before = RATE // 2, scene.echo
    return [(float(np.mean(before[at:at + size] ** 2)), float(np.mean(left[at:at + size] ** 2)))
            for at in range(0, scene.begin - size + 1, size)]


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
    for number in range(count):
        yield 'silence', f'silence {number}', 0.0, {'group': str(number)}, lambda: None


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


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Hear the scenes, measure, print and leave the figures."""
    out = report.make_folder(options, 'echo')
    items = read_held_out(options.data)
    runtime = runtime or load_model(ModelConfig(
        path=options.model, runtime=options.runtime, device=options.device,
        dtype=options.dtype, threads=options.threads), halves=('encoder',))
    path = out / 'echo_heard.jsonl'
    rows = {tuple(row['key']): row for row in map(json.loads, path.read_text(
        encoding='utf-8').splitlines())} if path.is_file() else {}
    scenes = [scene for scene in list_scenes(items, options.limit or options.scenes)
              if scene[0] in options.kinds]
    _hear_missing(scenes, rows, path, EchoListener(options, runtime), options.hearings)
    heard = [rows[kind, name, which] for kind, name, *_ in scenes for which in LINE_UP
             if (kind, name, which) in rows]
    measured = figures(heard, BargeIn(split_list(AssistantConfig().assistant.barge_in)))
    print_tables(measured)
    print(report.write(out, 'echo', options, measured, runtime.encoder.spec.model_id))
    return 0


def _hear_missing(scenes: Sequence[Any], rows: dict[Any, Any], path: Path,
                  listener: EchoListener, hearings: Sequence[str]) -> None:
    engine = Hibari()
    with report.progress_bar() as bar, path.open('a', encoding='utf-8') as file:
        for kind, name, ratio, wanted, make in bar.track(scenes, description='scenes'):
            which = [one for one in hearings if not (kind == 'silence' and one == 'alone')]
            if all((kind, name, one) in rows for one in which):
                continue
            scene = make_scene(f'{kind} {name}', engine, make(), ratio)
            for one in which:
                samples = scene.other + scene.noise if one == 'alone' else scene.heard
                row = {'key': (kind, name, one), 'ratio_db': ratio, 'begin': scene.begin / RATE,
                       'end': scene.end / RATE, **wanted,
                       **listener.hear(scene, samples.astype(np.float32),
                                       cancel=one if one in LINE_UP[2:] else '',
                                       words=kind != 'alarm',
                                       sounds=kind in ('alarm', 'silence'))}
                rows[kind, name, one] = row
                file.write(json.dumps(row) + '\n')
                file.flush()
