"""Token bytes to text, one token at a time, never half a character."""

import codecs

__all__ = ['Detokenizer']


class Detokenizer:
    """Collects the bytes of one text; what is no whole character in UTF-8 says nothing."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder('utf-8')(errors='ignore')
        self.text = ''

    def push(self, data: bytes) -> str:
        """Add the bytes of one token; return the characters that are now whole."""
        delta = self._decoder.decode(data)
        if not self.text:
            delta = delta.lstrip()  # byte-level vocabularies put the space before a word
        self.text += delta
        return delta

    @property
    def is_whole(self) -> bool:
        """False where the bytes so far end within a character."""
        return not self._decoder.getstate()[0]
