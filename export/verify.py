"""
Graphs against torch in float32: on seeded inputs, and on a scene that both listen to.

Owns what is compared; bars are in export.bars. Knows no command line.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from audio_interaction_ros.alerts.alert import AlertChange
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import MEL_FRAMES_PER_CHUNK
from audio_interaction_ros.runtimes.base import Allowed, Decoder, Encoder, StepRequest
from audio_interaction_ros.stream.events import Event, ReplyFinished, Silence
from export.bars import Bar, Verdict, count_edits

__all__ = ['SceneOutcome', 'compare_decoders', 'compare_encoders', 'compare_scenes', 'run_scene']

_SLOTS = 128
_CHUNKS = 12
_STEPS = 24


def compare_encoders(exported: Encoder, expected: Encoder, bar: Bar, *, seed: int = 0,
                     ) -> list[Verdict]:
    """Compare features of chunks of noise; export.sounds compares what the sound branch is for."""
    rng = np.random.default_rng(seed)
    heard = []
    mels = rng.standard_normal((_CHUNKS, expected.spec.mel_rows, MEL_FRAMES_PER_CHUNK),
                               dtype=np.float32)
    for encoder in (exported, expected):
        encoder.reset()
        heard.append([encoder.encode(mel) for mel in mels])
        encoder.reset()
    return [Verdict('features, seeded', _largest_difference(
        *(np.stack([one.features for one in mine]) for mine in heard)), bar.features)]


def compare_decoders(exported: Decoder, expected: Decoder, bar: Bar, *, seed: int = 0,
                     ) -> list[Verdict]:
    """Compare what ragged passes of three lanes score and choose; their slots wrap around."""
    scores, chosen = [], []
    for decoder in (exported, expected):
        decoder.open(lanes=3, slots=_SLOTS)
        results = [result for step in _make_passes(expected, seed) for result
                   in decoder.step(step)]
        scores.append((np.concatenate([result.control_logits for result in results]),
                       np.array([result.log_prob for result in results
                                 if result.log_prob is not None])))
        chosen.append([result.token for result in results if result.token is not None])
    differing = np.mean([ours != theirs for ours, theirs in zip(*chosen, strict=True)])
    return [*(Verdict(f'{name}, seeded', _largest_difference(ours, theirs), bar.scores)
              for name, ours, theirs in zip(('control scores', 'log-probabilities'), *scores,
                                            strict=True)),
            Verdict('tokens that differ, seeded', float(differing), bar.tokens)]


def _largest_difference(ours: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(ours - expected).max() / np.abs(expected).max())


def _make_passes(decoder: Decoder, seed: int) -> Iterator[list[StepRequest]]:
    rng, spec = np.random.default_rng(seed), decoder.spec
    clock = [0] * 3
    for number in range(_STEPS):
        step = []
        for lane in range(3):
            if number % 3 == lane:
                continue  # not every lane every time
            count = int(rng.integers(1, 14))
            positions = clock[lane] + np.arange(count)
            features = min(count - 1, spec.features_per_chunk)
            step.append(StepRequest(
                lane=lane, ids=rng.integers(0, min(spec.token_ids.structural), count),
                slots=positions % _SLOTS, positions=positions,
                visible=np.arange(_SLOTS) < clock[lane], feature_index=np.arange(features),
                features=rng.standard_normal((features, spec.feature_width), dtype=np.float32)
                / np.float32(np.sqrt(spec.feature_width)),
                read=np.array([count - 1]), allowed=tuple(Allowed)[number % 3]))
            clock[lane] += count
        yield step


@dataclass(frozen=True)
class SceneOutcome:
    """What an assistant made of a scene."""

    events: tuple[Event | AlertChange, ...]

    @property
    def words(self) -> list[str]:
        """Words of all replies, in their order, lane by lane."""
        replies = sorted((event for event in self.events if isinstance(event, ReplyFinished)),
                         key=lambda reply: reply.lane)
        return [word for reply in replies for word in reply.text.split()]

    @property
    def probabilities(self) -> dict[tuple[str, int], float]:
        """Probability to respond by lane and chunk, of the chunks that were listened to."""
        return {(event.lane, event.seq): event.p_respond for event in self.events
                if isinstance(event, Silence)}

    @property
    def alerts(self) -> list[tuple[str, ...]]:
        """Kind and category of every alert."""
        return [(change.kind.name, change.alert.category.name) for change in self.events
                if isinstance(change, AlertChange)]

    @property
    def decisions(self) -> list[tuple[object, ...]]:
        """All that happened, but for numbers that differ in their last digits."""
        return [_without_rounding(event) for event in self.events]


def _without_rounding(event: Event | AlertChange) -> tuple[object, ...]:
    if isinstance(event, AlertChange):
        return ('alert', event.kind, event.alert.category, event.alert.severity)
    return (type(event).__name__, *(value for field in fields(event) if not isinstance(
        value := getattr(event, field.name), float)))


def run_scene(config: AssistantConfig, scene: Path, *, runtime: str, model: str,
              dtype: str) -> SceneOutcome:
    """Return what a runtime makes of a scene, without second passes."""
    assistant = Assistant.load(replace(
        config.with_second_pass('none'),
        # Every chunk is read: on a quiet one both would agree without having been asked.
        audio=replace(config.audio, quiet_below_dbfs=-200.0),
        model=replace(config.model, path=model, runtime=runtime, dtype=dtype)))
    return SceneOutcome(tuple(assistant.listen(read_blocks(scene))))


def compare_scenes(exported: SceneOutcome, expected: SceneOutcome, bar: Bar) -> list[Verdict]:
    """Compare what both made of the same scene."""
    chunks = exported.probabilities.keys() & expected.probabilities.keys()
    change = [abs(exported.probabilities[chunk] - expected.probabilities[chunk]) for chunk
              in chunks]
    words = expected.words
    verdicts = [
        Verdict('words that differ, scene',
                count_edits(words, exported.words) / max(1, len(words)), bar.words),
        Verdict('alerts that differ, scene', count_edits(expected.alerts, exported.alerts), 0),
        Verdict('mean change of p, scene', float(np.mean(change)) if change else np.inf,
                bar.probability)]
    if bar.same_events:
        verdicts.append(Verdict('events that differ, scene',
                                count_edits(expected.decisions, exported.decisions), 0))
    return verdicts
