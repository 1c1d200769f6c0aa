"""
Translations of the model that listens, which was taught to translate text.

Owns how it is asked: in the offline layout of training, as the text lane of a session asks it, but
beside the lanes and with a beginning that stays.
"""

from collections.abc import Callable, Iterator, Sequence

from audio_interaction_ros.dialogue.directions import target_of
from audio_interaction_ros.dialogue.text_writer import TaskWriter, Turn, Written
from audio_interaction_ros.protocol import TokenIds
from audio_interaction_ros.runtimes.base import TextNet, Tokenizer

__all__ = ['SLOTS', 'LaneInterpreter']

SLOTS = 256
"""Ids that a source with its translation may take; half of them are the translation's."""


class LaneInterpreter:
    """Translates between English and Chinese."""

    def __init__(self, net: TextNet, tokenizer: Tokenizer, *, ids: TokenIds, prompt: str) -> None:
        """Take a net of SLOTS over the model's weights; ``prompt`` is that of its lane."""
        self._writer = TaskWriter(net, tokenizer, ids)
        self._prompt = Turn('system', prompt)

    def translate(self, text: str, language: str, *, begin: Sequence[int] = (),
                  cancelled: Callable[[], bool] = lambda: False) -> Iterator[Written]:
        """
        Yield the translation of a text as it grows, as TokenWriter.write does.

        It begins with the ids ``begin``. ValueError for a language (ISO 639-1) that is not
        translated and for a text that does not fit.
        """
        target_of(language)  # the prompt of the lane is the same for both
        ids = self._writer.lay_out([self._prompt, Turn('user', text)])
        yield from self._writer.write(ids, begin=begin, most_tokens=SLOTS // 2,
                                      cancelled=cancelled)

    def write_out(self, ids: Sequence[int]) -> str:
        """Return the text of ids; U+FFFD stands where they end within a character."""
        return self._writer.write_out(ids)
