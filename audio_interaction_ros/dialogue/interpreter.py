"""
Translations of a text model, into Chinese or English.

Owns how it is asked: an order, and a few sentences of each direction that show the manner.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from audio_interaction_ros.dialogue.directions import target_of
from audio_interaction_ros.dialogue.text_writer import TextWriter, Turn, Written

__all__ = ['Interpreter']

_ORDERS: Mapping[str, str] = {
    'zh': 'You are an interpreter. Translate each sentence into simplified Chinese. Write the '
          'translation and nothing else.',
    'en': 'You are an interpreter. Translate each sentence into English. Write the translation '
          'and nothing else.'}
"""By target."""
_SHOWN = (('Where did you put my glasses?', '你把我的眼镜放哪儿了？'),
          ('The shop is closed today.', '商店今天关门。'),
          ('I have never seen her laugh.', '我从没见过她笑。'))
"""English and Chinese; written for this purpose, in no list of sentence pairs."""
_TOKENS_PER_ID = 3
_FEWEST_TOKENS = 24


class Interpreter:
    """Translates between English and Chinese."""

    def __init__(self, writer: TextWriter) -> None:
        """Take who writes."""
        self._writer = writer

    def translate(self, text: str, language: str, *, begin: Sequence[int] = (),
                  cancelled: Callable[[], bool] = lambda: False) -> Iterator[Written]:
        """
        Yield the translation of a text as it grows, as TextWriter.write does.

        It begins with the ids ``begin``. ValueError for a language (ISO 639-1) that is not
        translated and for a text that does not fit.
        """
        target = target_of(language)
        turns = [Turn('system', _ORDERS[target])]
        for english, chinese in _SHOWN:
            given, wanted = (english, chinese) if target == 'zh' else (chinese, english)
            turns += [Turn('user', given), Turn('assistant', wanted)]
        ids = self._writer.lay_out([*turns, Turn('user', text)])
        most = min(_TOKENS_PER_ID * (len(ids) - self._length_before(turns)) + _FEWEST_TOKENS,
                   self._writer.slots - len(ids))
        yield from self._writer.write(ids, begin=begin, most_tokens=max(most, 0),
                                      cancelled=cancelled)

    def write_out(self, ids: Sequence[int]) -> str:
        """Return the text of ids; U+FFFD stands where they end within a character."""
        return self._writer.write_out(ids)

    def _length_before(self, turns: Sequence[Turn]) -> int:
        return len(self._writer.lay_out(turns))
