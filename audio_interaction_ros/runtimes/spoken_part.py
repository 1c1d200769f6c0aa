"""
The part of a piece of audio in which somebody speaks, as every reader of finished speech cuts it.

Owns that silence is not read, of which models write what nobody said. What hears voices is given
to it. Knows no reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.audio.speech_span import speech_span
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import ReadWord, VoiceListener

__all__ = ['FindSpeech', 'SpokenPart', 'cut_spoken_part', 'open_voice', 'shift_words']

HOP = 512
"""Samples that one probability of speech stands for."""
FindSpeech = Callable[[np.ndarray], np.ndarray]
"""Returns how likely somebody speaks in samples [n] at 16 kHz, for every 512 of them."""


@dataclass(frozen=True, kw_only=True)
class SpokenPart:
    """What is read of a piece of audio."""

    samples: np.ndarray
    """[n] float32 at 16 kHz."""
    start_s: float
    """Where in the audio it begins."""
    span_s: tuple[float, float] | None
    """Start and end of the speech in the audio; None where nobody looked."""


def cut_spoken_part(voice: FindSpeech | None, samples: np.ndarray, *,
                    longest_s: float) -> SpokenPart | None:
    """
    Return the speech in the last ``longest_s`` of samples [n] at 16 kHz, whatever its level.

    None where nobody speaks. Without ``voice`` all of it counts as speech, but for digital
    silence.
    """
    longest = round(longest_s * SAMPLE_RATE_HZ)
    before_s = max(0, len(samples) - longest) / SAMPLE_RATE_HZ
    samples = np.asarray(samples, np.float32)[-longest:]
    if not np.any(samples):
        return None
    if voice is None:
        return SpokenPart(samples=samples, start_s=before_s, span_s=None)
    loudest = float(np.abs(samples).max())
    span = speech_span(voice(samples * np.float32(0.5 / loudest)), HOP / SAMPLE_RATE_HZ)
    if span is None:
        return None
    start, end = (round(second * SAMPLE_RATE_HZ) for second in span)
    return SpokenPart(samples=samples[start:end], start_s=before_s + start / SAMPLE_RATE_HZ,
                      span_s=(before_s + span[0], before_s + span[1]))


def open_voice(voice: FindSpeech | None) -> VoiceListener | None:
    """Return what hears in a stream when speech begins and ends; None where nobody can."""
    stream: Callable[[], VoiceListener] | None = getattr(voice, 'stream', None)
    return stream() if stream is not None else None


def shift_words(words: Sequence[ReadWord], by_s: float) -> list[ReadWord]:
    """Return words so many seconds later."""
    return [replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s) for word in words]
