"""
From encoded prompts and replies to ids and labels: online sessions and offline tasks.

A label stands at the position that predicts it. The control label at ASSISTANT is SILENCE or
RESPOND; text labels are ids. No position has both. Knows no tokenizer, no audio and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import (
    Block,
    Emotion,
    TokenIds,
    audio_block,
    listening_block,
    offline_block,
    prefix_block,
    user_block,
)

__all__ = ['IGNORE', 'RESPOND', 'SILENCE', 'Layout', 'Said', 'Sample', 'TokensError', 'a_t',
           'a_t_t', 'lay_out_online', 't_t']

IGNORE = -100
SILENCE, RESPOND = 0, 1
Said = tuple[Emotion | None, Sequence[int]]
"""Tone (None: no tag, which the grammar allows) and encoded text of a reply."""


class TokensError(AudioInteractionError, ValueError):
    """Ids that no session may hold; whoever encoded the text or wrote the row must change it."""


@dataclass(frozen=True)
class Layout:
    """What a model fixes: its structural ids and its features per chunk."""

    ids: TokenIds
    features_per_chunk: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """T ids with their labels; IGNORE where nothing is learned."""

    ids: np.ndarray  # [T] int64
    feature_at: np.ndarray  # [F] int64, positions whose embeddings features overwrite
    control: np.ndarray  # [T] int64: SILENCE or RESPOND at an ASSISTANT
    text: np.ndarray  # [T] int64: the next id


class _Builder:
    """Collects ids; labels are given for an id and kept where that id is predicted."""

    def __init__(self, ids: TokenIds) -> None:
        self.names = ids
        self.ids: list[int] = []
        self.slots: list[int] = []
        self._control: dict[int, int] = {}
        self._text: dict[int, int] = {}

    def add(self, block: Block) -> None:
        """Add ids that are given, not learned, audio slots among them."""
        self.slots.extend(len(self.ids) + place for place in block.feature_at)
        self.ids.extend(block.ids)

    def add_respond(self) -> None:
        """Add the id that opens a text."""
        self.ids.append(self.names.respond)

    def learn_text(self, ids: Sequence[int]) -> None:
        """Add ids that are predicted one by one."""
        for token in ids:
            self._text[len(self.ids) - 1] = token
            self.ids.append(token)

    def learn_text_end(self) -> None:
        """Learn the end of a text; the id itself enters with whatever comes next."""
        self._text[len(self.ids) - 1] = self.names.text_end

    def learn_control(self, decision: int) -> None:
        """Learn a decision at the newest id; the id itself is added by the caller."""
        self._control[len(self.ids) - 1] = decision

    def sample(self) -> Sample:
        labels = np.full((2, len(self.ids)), IGNORE, np.int64)
        for row, targets in zip(labels, (self._control, self._text), strict=True):
            row[list(targets)] = list(targets.values())
        return Sample(ids=np.array(self.ids, np.int64),
                      feature_at=np.array(self.slots, np.int64), control=labels[0],
                      text=labels[1])


def _check_plain(ids: TokenIds, encoded: Sequence[int], what: str) -> list[int]:
    """Return encoded text as a list; raises TokensError for a structural id in it."""
    wrong = sorted(ids.structural.intersection(encoded))
    if wrong:
        raise TokensError(f'{what}: expected ids of ordinary text, got structural ids {wrong}; '
                          'encode it with the tokenizer of the model')
    return list(encoded)


def lay_out_online(layout: Layout, prompt: Sequence[int],
                   replies: Sequence[Said | None]) -> Sample:
    """
    Lay out a session: an encoded prompt, then one chunk per item of ``replies``.

    The item is what is said after the chunk, None for silence. Learned: the decision after every
    chunk, and of a reply everything from its emotion to TEXT_END. As in the runtime, a decision
    or end enters with the next chunk, so the last one is a label only.
    """
    ids, features = layout.ids, layout.features_per_chunk
    build, before = _Builder(ids), list[int]()
    build.add(prefix_block(ids, _check_plain(ids, prompt, 'prompt')))
    for chunk, said in enumerate(replies):
        build.add(listening_block(ids, features, before))
        build.learn_control(SILENCE if said is None else RESPOND)
        before = [ids.silence]
        if said is not None:
            emotion, text = said
            build.add_respond()
            build.learn_text([] if emotion is None else [ids.emotions[emotion]])
            build.learn_text(_check_plain(ids, text, f'reply after chunk {chunk}'))
            build.learn_text_end()
            before = [ids.text_end]
    return build.sample()


def a_t_t(layout: Layout, system: Sequence[int], features: int, user: Sequence[int],
          reply: Sequence[int]) -> Sample:
    """Lay out audio of so many features, a user's text and a reply (offline; all encoded)."""
    build = _begin_offline(layout, system)
    _add_audio(build, features)
    _add_user(build, user)
    return _add_reply(build, reply)


def a_t(layout: Layout, system: Sequence[int], features: int, reply: Sequence[int]) -> Sample:
    """Lay out audio of so many features and a reply (offline; encoded)."""
    build = _begin_offline(layout, system)
    _add_audio(build, features)
    return _add_reply(build, reply)


def t_t(layout: Layout, system: Sequence[int], user: Sequence[int],
        reply: Sequence[int]) -> Sample:
    """Lay out a user's text and a reply (offline; encoded)."""
    build = _begin_offline(layout, system)
    _add_user(build, user)
    return _add_reply(build, reply)


def _begin_offline(layout: Layout, system: Sequence[int]) -> _Builder:
    build = _Builder(layout.ids)
    build.add(offline_block(layout.ids, _check_plain(layout.ids, system, 'system prompt')))
    return build


def _add_audio(build: _Builder, features: int) -> None:
    if features < 1:
        raise TokensError(f'features: expected at least 1, got {features}; leave the clip out')
    build.add(audio_block(build.names, features))


def _add_user(build: _Builder, text: Sequence[int]) -> None:
    build.add(user_block(build.names, _check_plain(build.names, text, 'user text')))


def _add_reply(build: _Builder, text: Sequence[int]) -> Sample:
    """Close with the reply block, learned as a whole: ASSISTANT, the decision and the text."""
    ids = build.names
    build.learn_text([ids.assistant])
    build.learn_control(RESPOND)
    build.add_respond()
    build.learn_text(_check_plain(ids, text, 'reply'))
    build.learn_text_end()
    return build.sample()
