"""
Forms of detection that are compared: what scores must do to be an alarm.

A form says how many chunks must reach a threshold, and how a background raises it. Each is played
as the robot's own detector would.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.stream.sound_background import SILENCE, SoundBackground
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.alarms import lower_by, series_of

__all__ = ['FORMS', 'Form']

ALIKE = -16.0
"""Log-odds below every score: where that is silence, a quiet place raises thresholds as well."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How scores become alarms, where that differs from the rules file; as ``SoundRule``."""

    chunks: tuple[int, int] | None = None
    """Hits, of; None: as the rules file says of each class."""
    share: float | None = None
    """None: as the rules file says of each class, which is the robot's way."""
    seconds: float = 10.0
    quantile: float = 0.5
    silence: float = SILENCE

    def levels_of(self, scores: np.ndarray, rule: SoundRule) -> np.ndarray:
        """Return the highest threshold that makes an alarm at each chunk [chunks]."""
        hits, of = self.chunks or (rule.hits, rule.of if rule.hits > 1 else 1)
        share = rule.background if self.share is None else self.share
        return series_of(lower_by(SoundBackground(
            share=share, seconds=self.seconds, quantile=self.quantile,
            silence=self.silence), scores), hits, of)


FORMS: Mapping[str, Form] = {
    'as the rules file': Form(), 'never rising': Form(share=0.0),
    'one chunk': Form(chunks=(1, 1)), 'two chunks of three': Form(chunks=(2, 3)),
    'three chunks of five': Form(chunks=(3, 5)),
    'background 0.3': Form(share=0.3), 'background 0.5': Form(share=0.5),
    'background 0.7': Form(share=0.7), '0.5, of 5 s': Form(share=0.5, seconds=5.0),
    '0.5, of 20 s': Form(share=0.5, seconds=20.0), '0.5, lower quartile': Form(share=0.5,
                                                                              quantile=0.25),
    '0.5, above -10': Form(share=0.5, silence=-10.0),
    '0.5, quiet places too': Form(share=0.5, silence=ALIKE)}
"""What is compared; the first is what the others are beside."""
