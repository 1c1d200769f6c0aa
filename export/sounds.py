"""
What graphs and torch hear of a scene by the head that tells sounds apart.

A bar on the embedding would say little: what it is off by in noise may be nothing that anybody
hears. So scores are compared, and what the robot's own detector makes of them.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audio_interaction_ros.assembly import build_detector, build_pipeline, load_model
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.cli.sounds import hear_blocks
from audio_interaction_ros.config import AssistantConfig
from export.bars import Bar, Verdict, count_edits

__all__ = ['SoundsHeard', 'compare_sounds', 'hear_sounds']


@dataclass(frozen=True)
class SoundsHeard:
    """What the sounds of a scene were taken for."""

    scores: np.ndarray
    """[chunks, classes] float32, probabilities; of no class where a model tells none apart."""
    events: tuple[tuple[str, str, int], ...]
    """Whether a sound began or ended, which one, and with which chunk."""


def hear_sounds(config: AssistantConfig, scene: Path, *, runtime: str, model: str,
                dtype: str) -> SoundsHeard:
    """Return what the encoder of a runtime makes of a scene; every chunk of it is heard."""
    config = replace(config, audio=replace(config.audio, quiet_below_dbfs=-200.0),
                     model=replace(config.model, path=model, runtime=runtime, dtype=dtype))
    loaded = load_model(config.model, halves=('encoder',))
    pipeline = build_pipeline(config, loaded.encoder, loaded.sounds, taught=())
    detector = build_detector(config.alerts)
    scores, events = [], list[tuple[str, str, int]]()
    for chunk in hear_blocks(pipeline, read_blocks(scene)):
        scores.append(chunk.sounds.scores)
        events += ((type(event).__name__, event.sound, event.seq)
                   for event in detector.push(chunk))
    return SoundsHeard(np.stack(scores), tuple(events))


def compare_sounds(exported: SoundsHeard, expected: SoundsHeard, bar: Bar) -> list[Verdict]:
    """Compare what both heard of one scene; nothing where the model tells no sounds apart."""
    if not expected.scores.size:
        return []
    change = (np.inf if exported.scores.shape != expected.scores.shape
              else float(np.abs(exported.scores - expected.scores).max()))
    return [Verdict('largest change of a sound', change, bar.sounds),
            Verdict('sounds that differ, scene',
                    count_edits(expected.events, exported.events), 0)]
