"""A text model whose ids are bytes and whose answers are a function of what it was asked."""

import numpy as np

from audio_interaction_ros.runtimes.base import TextModel

MARKS = {'<|endoftext|>': 256, '<|im_start|>': 257, '<|im_end|>': 258, '<tool>': 259}


class Bytes:
    """A tokenizer; ``encode`` gives the UTF-8 of a text."""

    special_ids = MARKS

    def encode(self, text):
        return list(text.encode())

    def token_bytes(self, token):
        return bytes([token]) if token < 256 else b''


class Net:
    """Writes what ``answer(turns)`` returns; turns are (role, text), the last one the user's."""

    def __init__(self, answer, slots=4096):
        self.slots, self._answer = slots, answer
        self.ids, self.fed = [], []

    def feed(self, ids, at):
        assert 0 < len(ids) and at <= len(self.ids) and at + len(ids) <= self.slots
        self.fed.append((at, len(ids)))
        self.ids = [*self.ids[:at], *ids]
        scores = np.zeros(260, np.float32)
        scores[MARKS['<tool>']] = 9.0  # which nobody may choose
        begun = len(self.ids) - 1 - self.ids[::-1].index(MARKS['<|im_start|>'])
        if MARKS['<|im_end|>'] in self.ids[begun:] or not bytes(
                self.ids[begun + 1:]).startswith(b'assistant\n'):
            return scores  # within what is asked
        written = bytes(self.ids[begun + 1:]).removeprefix(b'assistant\n')
        wanted = self._answer(turns_of(self.ids[:begun]))
        if not isinstance(wanted, str):
            scores[:] = np.nan
            return scores
        rest = wanted.encode()[len(written):]
        scores[rest[0] if rest else MARKS['<|im_end|>']] = 5.0
        return scores


def turns_of(ids):
    """Return the turns of a chat as (role, text)."""
    turns, text = [], None
    for code in ids:
        if code == MARKS['<|im_start|>']:
            text = b''
        elif code == MARKS['<|im_end|>']:
            turns.append(tuple(text.decode().split('\n', 1)))
            text = None
        elif text is not None:
            text += bytes([code])
    return turns


def scripted(answer, slots=4096):
    """Return a model; its nets, in the order in which they were opened, are in ``nets``."""
    nets = []

    def open_net():
        nets.append(Net(answer, slots))
        return nets[-1]
    model = TextModel(name='scripted', tokenizer=Bytes(), open_net=open_net)
    return model, nets
