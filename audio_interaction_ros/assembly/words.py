"""What reads words: the audio history, and what shows them while they are spoken."""

import logging
from collections.abc import Callable
from typing import Any

from audio_interaction_ros.assembly.models import spoken_language
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.stream.live_words import LiveWords
from audio_interaction_ros.stream.pause_judge import PauseJudge, TurnJudge
from audio_interaction_ros.stream.span_reader import SpanReader
from audio_interaction_ros.stream.turn_end import TurnEnd

__all__ = ['build_live_words', 'build_reader']

_LOG = logging.getLogger(__name__)


def build_reader(config: AssistantConfig, *, translates: bool) -> SpanReader:
    """
    Return the audio history that second passes read from.

    ``translates``: one of them is for translations.
    """
    return SpanReader(seconds=config.transcript.buffer_s,
                      interpret=translates and config.translation.to_english == 'whisper',
                      language=spoken_language(config))


def build_live_words(config: AssistantConfig, reader: Any, *, judge: TurnJudge | None = None,
                     run: str = '0', tell: Callable[[str], object] = _LOG.error
                     ) -> LiveWords | None:
    """
    Return what shows words while they are spoken; None where that is turned off.

    Nor is there any where ``reader``, the second pass, cannot read speech that goes on
    (runtimes.base.WindowReader or StreamReader), or hears no voices. ``judge``
    (registry.load_turn_judge) hears whether a voice is through; ``run`` begins the names of
    utterances. ``tell`` is told once where the judge fails.
    """
    said = config.transcript
    if not said.partial_ms or not (hasattr(reader, 'read_window')
                                   or hasattr(reader, 'open_stream')):
        return None
    voice = reader.open_voice()
    if voice is None:
        return None
    waits = TurnEnd(
        silence_ns=round(said.end_silence_ms * 1e6), sure_ns=round(said.end_sure_ms * 1e6),
        unfinished_ns=round(said.end_unfinished_ms * 1e6), threshold=said.end_threshold)
    return LiveWords(
        reader, voice, period_s=said.partial_ms / 1000, run=run,
        end=PauseJudge(waits, judge, tell=tell), language=spoken_language(config),
        reader_ends=said.reader_ends)
