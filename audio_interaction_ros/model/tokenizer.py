"""
Text to vocabulary ids and single ids back to bytes.

Wraps a byte-level BPE ``tokenizer.json``. Text never becomes a structural id: special tokens
written in text are spelled out, and an ordinary merge whose id the protocol re-uses is replaced
by its single bytes.
"""

from collections.abc import Collection
from pathlib import Path

import tokenizers

from audio_interaction_ros.errors import CheckpointError

__all__ = ['Tokenizer']


def _byte_alphabet() -> dict[str, int]:
    # GPT-2's printable stand-ins: readable bytes stand for themselves, others from U+0100 on.
    readable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in readable]
    return ({chr(byte): byte for byte in readable}
            | {chr(0x100 + i): byte for i, byte in enumerate(others)})


_BYTE_OF = _byte_alphabet()
_CHAR_OF = {byte: char for char, byte in _BYTE_OF.items()}


class Tokenizer:
    """A byte-level BPE vocabulary of one model."""

    def __init__(self, path: str | Path, *, structural: Collection[int] = ()) -> None:
        try:
            self._bpe = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception for a bad file
            raise CheckpointError(
                f'{path}: expected a tokenizer.json, cannot read it ({error}); fetch the model '
                'again') from error
        self._bpe.no_padding()
        self._bpe.no_truncation()
        self._bpe.encode_special_tokens = True
        self._structural = frozenset(structural)
        self._special = frozenset(id_ for id_, token
                                  in self._bpe.get_added_tokens_decoder().items() if token.special)

    @property
    def vocab_size(self) -> int:
        """Ids that the file knows, added tokens included."""
        return self._bpe.get_vocab_size()

    @property
    def special_ids(self) -> dict[str, int]:
        """Ids of special tokens by how they are written, such as <|im_end|>."""
        return {token.content: id_ for id_, token in self._bpe.get_added_tokens_decoder().items()
                if token.special}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; none of them is special or structural."""
        ids: list[int] = []
        for id_ in self._bpe.encode(text, add_special_tokens=False).ids:
            if id_ in self._structural or id_ in self._special:
                ids.extend(self._spell(id_))
            else:
                ids.append(id_)
        return ids

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; b'' for special, structural and unknown ids."""
        if token in self._structural or token in self._special:
            return b''
        return self._raw_bytes(token)

    def _raw_bytes(self, token: int) -> bytes:
        piece = self._bpe.id_to_token(token)
        if piece is None:
            return b''
        if all(char in _BYTE_OF for char in piece):
            return bytes(_BYTE_OF[char] for char in piece)
        return piece.encode()  # an added token holds plain text

    def _spell(self, token: int) -> list[int]:
        pieces = (self._bpe.token_to_id(_CHAR_OF[byte]) for byte in self._raw_bytes(token))
        return [id_ for id_ in pieces if id_ is not None]
