"""
Translations that follow the words: partial ones while they are spoken, a final one at their end.

Owns which utterances are open and in which language each is translated. Knows neither lanes nor
who reads.
"""

import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

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
_MOST_OPEN = 8
"""Utterances that may wait for their final; of more, those that began first never had one."""


@dataclass
class _Open:
    """The translation of an utterance that is not final."""

    growing: GrowingTranslation
    language: str
    """Of the speech."""
    revision: int = 0
    """How many of it were shown."""


class WordInterpreter:
    """
    Translates the utterances of one stream.

    The final of one may come while the next one is spoken already, so a few may be open at once.
    """

    def __init__(self, interpreter: Interprets, *, drafts: Collection[str] = ()) -> None:
        """
        Take who translates.

        ``drafts`` are the languages into which somebody else writes the finals, so that nothing
        that is shown before is called stable.
        """
        self._interpreter, self._drafts = interpreter, frozenset(drafts)
        self._open: dict[str, _Open] = {}

    def on_partial(self, heard: PartialTranscript,
                   cancelled: Callable[[], bool] = lambda: False) -> PartialTranslation | None:
        """Take words of speech that goes on; return what is shown of its translation now."""
        open_ = self._find(heard.utterance_id, heard.language)
        if open_ is None:
            return None
        try:
            shown = open_.growing.grow(heard.text, heard.stable_length, cancelled)
        except Exception:  # the final is still to come
            _LOG.exception('the text model cannot translate')
            shown = None
        if shown is None:
            return None
        open_.revision += 1
        return PartialTranslation(
            lane=LANE, stamp_ns=heard.stamp_ns, epoch=heard.epoch, seq=heard.seq,
            utterance_id=heard.utterance_id, revision=open_.revision - 1, text=shown.text,
            stable_length=0 if open_.growing.target in self._drafts else shown.stable_length,
            language=open_.growing.target,
            source_text=heard.text[:heard.stable_length], source_language=open_.language,
            start_ns=heard.start_ns, end_ns=heard.end_ns)

    def on_final(self, heard: FinalTranscript, written: str = '') -> FinalTranslation | None:
        """
        Take the final words of an utterance; return its translation, which ends it.

        ``written`` is what somebody else made of the same speech, and then the translation. None
        where there is nothing to translate and nothing was shown of it.
        """
        name = heard.utterance_id or heard.reply_id
        open_ = self._find(name, heard.language)
        self._open.pop(name, None)
        if open_ is None:
            return None
        growing = open_.growing
        if growing.target in self._drafts:  # nothing of what was shown has to stay
            growing = GrowingTranslation(self._interpreter, open_.language)
        text = _finish(growing, heard, written) if heard.text or open_.revision else ''
        if not text and not open_.revision:
            return None
        return FinalTranslation(
            lane=LANE, stamp_ns=heard.stamp_ns, epoch=heard.epoch, seq=heard.seq, reply_id=name,
            text=text, language=open_.growing.target, source_text=heard.text,
            source_language=open_.language, streamed_text='', source='second_pass',
            confidence=heard.confidence if text else math.nan, revision=open_.revision,
            start_ns=heard.start_ns, end_ns=heard.end_ns)

    def _find(self, utterance: str, language: str) -> _Open | None:
        """Return what is open of an utterance; None in a language that is not translated."""
        open_ = self._open.get(utterance)
        if open_ is not None and (open_.revision or language == open_.language):
            return open_  # once something was shown the language stays
        self._open.pop(utterance, None)
        if language not in TRANSLATION_TARGETS:
            return None
        self._open[utterance] = _Open(GrowingTranslation(self._interpreter, language), language)
        while len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]
        return self._open[utterance]


def _finish(growing: GrowingTranslation, heard: FinalTranscript, written: str) -> str:
    """Return the whole translation; what was stable, where nobody read or the model fails."""
    if heard.source == 'streamed':
        return growing.stable_text
    if heard.text and written:
        return written
    try:
        return growing.finish(heard.text).text
    except Exception:  # what was shown must come to an end
        _LOG.exception('the text model cannot translate')
        return growing.stable_text
