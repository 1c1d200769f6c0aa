"""
Translations that follow the words: partial ones while they are spoken, a final one at their end.

Owns which utterance is open and in which language it is translated. Knows neither lanes nor who
reads.
"""

import logging
import math
from collections.abc import Callable

from audio_interaction_ros.dialogue.growing_translation import GrowingTranslation, Interprets
from audio_interaction_ros.protocol import TRANSLATION_TARGETS
from audio_interaction_ros.stream.events import (
    FinalTranscript,
    FinalTranslation,
    PartialTranscript,
    PartialTranslation,
)

__all__ = ['LANE', 'WordInterpreter']

_LOG = logging.getLogger(__name__)
LANE = 'translation'
"""What events of translations are called where no lane of the model makes them."""


class WordInterpreter:
    """Translates the utterances of one stream, one after the other."""

    def __init__(self, interpreter: Interprets) -> None:
        """Take who translates."""
        self._interpreter = interpreter
        self._open: GrowingTranslation | None = None
        self._utterance, self._language, self._revision = '', '', 0

    def on_partial(self, heard: PartialTranscript,
                   cancelled: Callable[[], bool] = lambda: False) -> PartialTranslation | None:
        """Take words of speech that goes on; return what is shown of its translation now."""
        growing = self._find(heard.utterance_id, heard.language)
        if growing is None:
            return None
        try:
            shown = growing.grow(heard.text, heard.stable_length, cancelled)
        except Exception:  # the final is still to come
            _LOG.exception('the text model cannot translate')
            shown = None
        if shown is None:
            return None
        self._revision += 1
        return PartialTranslation(
            lane=LANE, stamp_ns=heard.stamp_ns, epoch=heard.epoch, seq=heard.seq,
            utterance_id=heard.utterance_id, revision=self._revision - 1, text=shown.text,
            stable_length=shown.stable_length, language=growing.target,
            source_text=heard.text[:heard.stable_length], source_language=self._language,
            start_ns=heard.start_ns, end_ns=heard.end_ns)

    def on_final(self, heard: FinalTranscript) -> FinalTranslation | None:
        """
        Take the final words of an utterance; return its translation, which ends it.

        None where there is nothing to translate and nothing was shown of it.
        """
        name = heard.utterance_id or heard.reply_id
        growing = self._find(name, heard.language) if heard.source == 'second_pass' else None
        was_shown = name == self._utterance and self._revision > 0
        text = _finish(growing, heard.text) if growing is not None and (
            heard.text or was_shown) else ''
        self._open, self._utterance = None, ''
        if not text and not was_shown:
            return None
        return FinalTranslation(
            lane=LANE, stamp_ns=heard.stamp_ns, epoch=heard.epoch, seq=heard.seq, reply_id=name,
            text=text, language=TRANSLATION_TARGETS.get(self._language, ''),
            source_text=heard.text, source_language=self._language, streamed_text='',
            source='second_pass', confidence=heard.confidence if text else math.nan,
            revision=self._revision, start_ns=heard.start_ns, end_ns=heard.end_ns)

    def _find(self, utterance: str, language: str) -> GrowingTranslation | None:
        """Return the translation of an utterance; None in a language that is not translated."""
        if utterance != self._utterance:
            self._open, self._utterance, self._revision = None, utterance, 0
        elif self._open is not None and (self._revision or language == self._language):
            return self._open  # once something was shown the language stays
        if language not in TRANSLATION_TARGETS:
            return None
        self._language = language
        self._open = GrowingTranslation(self._interpreter, language)
        return self._open


def _finish(growing: GrowingTranslation, text: str) -> str:
    """Return the whole translation; what was stable, where the model fails."""
    try:
        return growing.finish(text).text
    except Exception:  # what was shown must come to an end
        _LOG.exception('the text model cannot translate')
        return growing.stable_text
