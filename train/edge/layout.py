"""
From a scene to what a lane should decide after each chunk, and from there to token ids.

Owns the targets and the structural ids; the layout is ``train.tokens``', whose blocks are those
of the runtime.
"""

import math
from collections.abc import Mapping, Sequence

from audio_interaction_ros.protocol import CHUNK_S, Emotion, TokenIds
from train.edge.dialogue import reply_to
from train.tokens import IGNORE, Layout, Said, Sample, lay_out_online

__all__ = ['BASE_VOCABULARY', 'CHINESE', 'CHUNK_S', 'FEATURES', 'IDS', 'IGNORE', 'MIN_CONFIDENCE',
           'PROMPTS', 'SLOTS', 'THRESHOLDS', 'decide_by_chunk', 'reply_to_event',
           'lay_out_session']

BASE_VOCABULARY = 49_152
FEATURES = 6
"""Five of words, the last of sounds."""
PROMPTS = {'transcript': 'Transcribe the speech.',
           'translation': 'Translate the speech.',
           'assistant': 'Warn about dangerous sounds and answer questions.'}
THRESHOLDS = {'transcript': 0.5, 'translation': 0.5, 'assistant': 0.9}
"""From which probability on a lane speaks, where ``evaluate --pick`` has not told better."""
MIN_CONFIDENCE = {'assistant': 0.75}
"""Below it a reply is withheld; transcripts and translations are corrected, not withheld."""
SLOTS = {'assistant': 256}
"""
Positions that a lane keeps: of sounds it says what it hears now, and after minutes of silence it
would hardly speak again. A transcript of one utterance needs more.
"""
_NEW = [BASE_VOCABULARY + i for i in range(19)]
IDS = TokenIds(user=_NEW[0], assistant=_NEW[1], silence=_NEW[2], respond=_NEW[3],
               text_end=_NEW[4], pad=_NEW[5], online=_NEW[6], offline=_NEW[7],
               language=_NEW[8], system=_NEW[9], audio_pad=_NEW[10], audio_begin=_NEW[11],
               audio_end=_NEW[12],
               emotions=(_NEW[13], _NEW[14], _NEW[15], _NEW[16], _NEW[17], _NEW[18]))
CHINESE = '(Chinese)'
"""
What the translation lane writes of Mandarin: it can tell that and when it was spoken.

What was said the second pass reads, and the same model translates its text. A few hundred
utterances teach no recogniser, and an invented sentence would be worse than none.
"""
Reply = tuple[Emotion, str]


def reply_to_event(event: Mapping, lane: str) -> Reply | None:
    """Return what a lane answers to an event; None when it has nothing to say to it."""
    if event['kind'] == 'sound':
        return (Emotion(event['emotion']), event['text']) if lane == 'assistant' else None
    text: str | None = None
    if lane == 'translation':
        text = CHINESE if event.get('language') == 'zh' else event.get('translation') or None
    elif event.get('language', 'en') == 'en':
        text = event['text'] if lane == 'transcript' else reply_to(event['text'])
    return None if text is None else (Emotion.NORMAL, text)


def decide_by_chunk(events: Sequence[Mapping], lane: str, chunks: int) -> list[Reply | None]:
    """Return the reply due after each chunk; a reply due past the last chunk is not given."""
    due: list[Reply | None] = [None] * chunks
    for event in events:
        index = max(0, math.ceil(event['due'] / CHUNK_S) - 1)
        said = reply_to_event(event, lane)
        if said is not None and index < chunks:
            due[index] = said
    return due


def lay_out_session(prompt: Sequence[int], replies: Sequence[Said | None],
                    ids: TokenIds = IDS) -> Sample:
    """Lay out a session: ``replies`` holds, per chunk, an emotion and encoded text, or None."""
    return lay_out_online(Layout(ids, FEATURES), prompt, replies)
