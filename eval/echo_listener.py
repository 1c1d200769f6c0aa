"""
The robot's ears in a scene: sounds become alerts, speech words, its own voice taken out or not.

Owns what is done about that voice (``Hearing``). Alerts come from sounds by the robot's detector
and policy, words from the reader that shows them while they are spoken. Knows no files.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.assembly import (
    build_live_words,
    build_pipeline,
    build_reader,
    make_echo_processor,
    read_sound_rules,
)
from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.audio.echo import EchoCanceller
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.audio.linear_echo import LinearEcho
from audio_interaction_ros.audio.overhearing import EchoFrame, Overhearing
from audio_interaction_ros.config import AlertsConfig, AssistantConfig
from audio_interaction_ros.intents.words import has_other_words
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_transcriber
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundStarted
from audio_interaction_ros.stream.spoken_word import WordsShown
from audio_interaction_ros.stream.word_steps import WordsFinal, finish_all, take_steps
from eval.echo_scenes import BEGAN_NS, NS, EchoScene
from eval.echo_signs import SoundsBeside
from eval.echo_speaker import SceneSpeaker
from eval.live_stream import fail
from held_out.classes import robot_rules
from held_out.clips import RATE

__all__ = ['HEARINGS', 'EchoListener', 'Hearing']

BLOCK = RATE // 50
DUCKED_S = 1.5
"""As speech_node has it."""
Told = list[tuple[float, str]]
"""Texts or labels, each with the second of the scene at which it was told."""


@dataclass(frozen=True)
class Hearing:
    """What is done about the robot's own voice."""

    own_voice: bool = True
    cancel: str = ''
    """webrtc, speex, or linear (audio.linear_echo, which only helps the others); empty: none."""
    softer_at: str = ''
    """What makes the robot lower its voice: words, sounds, or always."""


HEARINGS = {
    'alone': Hearing(own_voice=False), 'own voice': Hearing(), 'webrtc': Hearing(cancel='webrtc'),
    'speex': Hearing(cancel='speex'), 'linear': Hearing(cancel='linear'),
    'softer at words': Hearing(cancel='webrtc', softer_at='words'),
    'softer at sounds': Hearing(cancel='webrtc', softer_at='sounds'),
    'always softer': Hearing(cancel='webrtc', softer_at='always')}


class EchoListener:
    """The robot's ears, as far as sounds and words that are being spoken go."""

    def __init__(self, options: argparse.Namespace, load: Callable[[], Runtime]) -> None:
        """Load nothing yet; ``load`` returns the same model each time."""
        self._load, self._lead_s, self._duck_db = load, options.lead / 1000, options.duck
        self._known = robot_rules()
        self._rules = read_sound_rules(AlertsConfig(profile=options.profile), self._known)
        self._options = options
        self._transcriber: Any = None  # loaded where words are read

    def hear(self, scene: EchoScene, hearing: Hearing, *, sounds: bool,
             words: bool) -> dict[str, Any]:
        """
        Return labels that were raised with times, texts, and what was left of the audio.

        ``sounds`` and ``words`` say what to listen for; of what was not listened for nothing is
        returned, for it is not that nothing was heard.
        """
        canceller = EchoCanceller(
            LinearEcho() if hearing.cancel == 'linear' else make_echo_processor(hearing.cancel),
            lead_s=self._lead_s) if hearing.cancel else None
        if words and self._transcriber is None:
            self._transcriber = load_transcriber(threads=self._options.threads, language='en')
        if hearing.softer_at == 'always':
            scene = scene.softer(self._duck_db)
        parts: list[AudioChunk] = []
        ears: Any = (self._open_ears(canceller, parts) if sounds else
                     FrontEnd(canceller=canceller, on_part=parts.append))
        robot = _SpeakingRobot(scene, hearing, canceller, self._transcriber if words else None)
        encoded: list[Any] = []
        for block in robot.hear():
            encoded += ears.push(block)
            robot.listen(parts)
            if robot.notices():
                robot.speaker.soften(self._duck_db, DUCKED_S)
        encoded += ears.flush(1.2)
        robot.finish(parts)
        drowned = hearing.own_voice and canceller is None
        left = np.concatenate([part.samples for part in parts])[:len(scene.noise)]
        told: dict[str, Any] = {}
        if sounds:
            told['alerts'] = self._find_alerts([replace(chunk, robot_speaking=drowned)
                                                for chunk in encoded])
        if words:
            told |= {'texts': robot.texts, 'overheard': robot.overheard}
        return {**told, 'beside': robot.beside, 'softer_s': robot.speaker.softer_s,
                'levels': _levels(scene, left)}

    def _open_ears(self, canceller: EchoCanceller | None,
                   parts: list[AudioChunk]) -> ListeningPipeline:
        runtime = self._load()
        runtime.encoder.reset()
        return build_pipeline(AssistantConfig(), runtime.encoder, runtime.sounds, (),
                              canceller=canceller, on_part=parts.append)

    def _find_alerts(self, encoded: Sequence[Any]) -> Told:
        """Return what is raised; of chunks in which the robot speaks what is CRITICAL only."""
        detector, policy = SoundDetector(self._rules), AlertPolicy(self._known)
        policy.note_classes(tuple(self._rules))
        found = []
        for chunk in encoded:
            for event in detector.push(chunk):
                if isinstance(event, SoundStarted):
                    found += [((event.onset_ns - BEGAN_NS) / NS, change.alert.label)
                              for change in policy.on_sound(event)]
        return found


class _SpeakingRobot:
    """What one robot plays in one scene, and what it notices of others meanwhile."""

    def __init__(self, scene: EchoScene, hearing: Hearing, canceller: EchoCanceller | None,
                 transcriber: Any) -> None:
        """``transcriber`` reads words; None: nobody does."""
        self._scene, self._canceller, self._hearing = scene, canceller, hearing
        self._transcriber = transcriber
        self.speaker = SceneSpeaker(scene if hearing.own_voice else scene.without_robot())
        self._beneath, self._beside = Overhearing(), SoundsBeside()
        self._words = None if transcriber is None else _ReadWords(transcriber)
        self._taken, self._now, self._news = 0, 0.0, ''
        self.texts: Told = []
        self.overheard: Told = []
        self.beside: list[list[float]] = []
        """Spans of seconds in which something else seemed to sound."""
        if canceller is not None:
            canceller.speaking, canceller.on_frame = True, self._note_frame

    def _note_frame(self, frame: EchoFrame) -> None:
        self._beside.take(frame)
        if self._transcriber is not None:
            self._beneath.take(frame)

    def hear(self) -> Iterator[AudioBlock]:
        """Yield blocks of 20 ms of the microphone, each after what was played up to then."""
        for at in range(0, len(self._scene.noise), BLOCK):
            self._now = (at + BLOCK) / RATE
            for block in self.speaker.play_until(self._now):
                if self._canceller is not None:
                    self._canceller.reference.push(block)
            yield AudioBlock(samples=self.speaker.hear(at, at + BLOCK), sample_rate_hz=RATE,
                             stamp_ns=BEGAN_NS + at * NS // RATE)

    def listen(self, parts: Sequence[AudioChunk]) -> None:
        """Notice what sounds beside the robot's voice, and read what is to be read so far."""
        self._news = ''
        if self._beside.heard:
            before = self._now - BLOCK / RATE
            if not self.beside or self.beside[-1][1] < before - 1e-6:
                self.beside.append([before, self._now])
            self.beside[-1][1] = self._now
        for part in parts[self._taken:] if self._words is not None else ():
            assert self._words is not None, 'asked above'
            self._note_texts(self._words.take(part))
        self._taken = len(parts)
        if self._transcriber is not None and self._beneath.due:
            read = self._transcriber.read_window(self._beneath.cut_out(), language='en')
            text = ''.join(word.written for word in read.words)
            self.overheard += [(self._now, text)] * bool(text)
            self._news += f' {text}'

    def _note_texts(self, texts: Told) -> None:
        self.texts += texts
        self._news += ' '.join(text for _, text in texts)

    def finish(self, parts: Sequence[AudioChunk]) -> None:
        """Read what is left of a scene that is over."""
        self.listen(parts)
        if self._words is not None:
            self._note_texts(self._words.finish(parts[-1]))

    def notices(self) -> bool:
        """Tell whether the robot lowers its voice for what it just heard."""
        if self._hearing.softer_at == 'words':
            return has_other_words(self._news, said=self._scene.said)
        return self._hearing.softer_at == 'sounds' and self._beside.heard


class _ReadWords:
    """Words while they are spoken, and those of utterances that are over."""

    def __init__(self, transcriber: Any) -> None:
        config = AssistantConfig()
        words = build_live_words(config, transcriber)
        assert words is not None, 'Whisper shows words'
        self._words, self._transcriber = words, transcriber
        self._history = build_reader(config, translates=False)

    def take(self, part: AudioChunk) -> Told:
        """Return each text that is shown at the end of a part of a chunk."""
        self._history.remember(part)
        self._words.remember(part)
        return self._at_end(part, take_steps(self._words, self._history, self._transcriber, fail,
                                             read=self._words.read))

    def finish(self, part: AudioChunk) -> Told:
        """Return what is shown when no part follows this one."""
        return self._at_end(part, finish_all(self._words.finish(), self._history,
                                             self._transcriber, fail))

    @staticmethod
    def _at_end(part: AudioChunk, steps: Iterable[WordsShown | WordsFinal]) -> Told:
        texts = [one.text if isinstance(one, WordsShown) else one.text.text for one in steps]
        return [((part.end_ns - BEGAN_NS) / NS, text) for text in texts if text]


def _levels(scene: EchoScene, left: np.ndarray) -> list[tuple[float, float]]:
    """Return the power of the echo and of what is left, in each half second before the other."""
    size, before = RATE // 2, scene.echo
    return [(float(np.mean(before[at:at + size] ** 2)), float(np.mean(left[at:at + size] ** 2)))
            for at in range(0, scene.begin - size + 1, size)]
