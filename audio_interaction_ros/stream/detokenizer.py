"""Token bytes to text, one token at a time, never half a character."""

import codecs

__all__ = ['Detokenizer']


class Detokenizer:
    """Collects the bytes of one reply; bytes that are no UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder('utf-8')(errors='replace')
        self.text = ''

    def push(self, data: bytes) -> str:
        """Add the bytes of one token; return the characters that are now whole."""
        return self._append(self._decoder.decode(data))

    def flush(self) -> str:
        """End the reply; return what an unfinished character became."""
        return self._append(self._decoder.decode(b'', final=True))

    def _append(self, delta: str) -> str:
        if not self.text:
            delta = delta.lstrip()  # byte-level vocabularies put the space before a word
        self.text += delta
        return delta
