"""
What the lanes of a composed stream say, and after which chunk.

Owns prompts, the estimate of when each word was spoken, and how a plan's answers become replies.
The rules of position are in train.responses. Knows nothing of how audio was mixed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize, Emotion
from train.compose.audio import FRAME, RATE, find_active
from train.compose.script import LanePlan
from train.records import Event, Lane, Reply
from train.responses import (
    alert_replies,
    asr_replies,
    join_words,
    reply_chunk,
    translation_replies,
)

__all__ = ['CRITICAL', 'PROMPTS', 'Rules', 'lane_replies', 'pair_phrases', 'word_ends']

PROMPTS = {
    'transcript': 'Transcribe the speech.',
    'translation': 'Translate the speech.',
    'assistant': 'Answer when you are spoken to. Warn about dangerous sounds.',
}
"""System prompt of each lane; part of the data."""

CRITICAL: dict[str, tuple[str, str]] = {
    'smoke_alarm': ('A smoke alarm is sounding. Check for fire and leave the building.', 'urgent'),
    'carbon_monoxide_alarm': ('A carbon monoxide alarm is sounding. Go outside now and call for '
                              'help.', 'urgent'),
    'fire_alarm': ('A fire alarm is sounding. Please leave the building.', 'urgent'),
    'siren': ('A siren is close by. Make way for the emergency vehicle.', 'urgent'),
    'reversing_beep': ('A vehicle is reversing nearby. Stay clear of it.', 'urgent'),
    'glass_break': ('Glass has broken. Mind the splinters.', 'urgent'),
    'scream': ('Someone is screaming. They may need help.', 'urgent'),
    'gunshot': ('That sounded like a gunshot. Take cover and call for help.', 'urgent'),
    'explosion': ('That sounded like an explosion. Keep away and call for help.', 'urgent'),
    'fire_crackling': ('I hear fire crackling. Check where it burns.', 'urgent'),
}
"""
Safety-critical label -> what the assistant says unasked, and in which tone. The words are ours;
the labels are such that train.responses' rules call for an answer, borderline ones are not here.
"""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides after which chunk a lane speaks, beyond the end of the event."""

    critical: Mapping[str, tuple[str, str]] = field(default_factory=lambda: dict(CRITICAL))
    least_delay_s: float = 0.0
    """Shortest time from the end to the decision (field lesson: 0.12 s, the release: 0)."""
    chunk_size: ChunkSize = RELEASED_CHUNK
    """What the model will hear at once, and speaks after."""
    alert_latest_s: float | None = None
    """Alert at most so long after the onset; None: when the sound is over, as in the paper."""


PAUSES = re.compile(r'(?<=[,;:.!?，。；：！？])\s*')


def word_ends(words: Sequence[str], samples: np.ndarray, start_s: float) -> list[float]:
    """
    Estimate when each word of an utterance ends, in seconds of the stream.

    No corpus that we read gives word times. Each word gets a share of the voiced frames by its
    number of letters, so pauses take no words; the last word ends with the last voiced frame.
    """
    voiced = np.flatnonzero(find_active(samples))
    letters = np.cumsum([max(1, len(re.sub(r'\W', '', word))) for word in words])
    shares = np.ceil(letters / letters[-1] * len(voiced)).astype(int) - 1
    return [start_s + min(float(voiced[i] + 1) * FRAME, len(samples)) / RATE for i in shares]


def pair_phrases(text: str, translation: str) -> list[tuple[str, str]]:
    """Pair phrases with their translations where both have as many; else the whole is one."""
    source = [part for part in PAUSES.split(text.strip()) if part]
    target = [part for part in PAUSES.split(translation.strip()) if part]
    paired = len(source) == len(target)
    return list(zip(source, target, strict=True)) if paired else [(text, translation)]


def time_translation(event: Event, samples: np.ndarray) -> list[tuple[str, float]]:
    pairs = pair_phrases(event.clip.text, event.clip.translation)
    # a reply is due when its phrase is over, the last one with the clip
    ends = word_ends([source for source, _ in pairs], samples, event.start_s)
    return [(target, end) for (_, target), end in zip(pairs, ends, strict=True)]


def merge_replies(replies: Iterable[Reply]) -> tuple[Reply, ...]:
    """Return replies in order of chunks; several on one chunk become one, the urgent one first."""
    by_chunk: dict[int, Reply] = {}
    for reply in sorted(replies, key=lambda item: (
            item.chunk, -Emotion[item.emotion.upper()])):
        first = by_chunk.get(reply.chunk)
        by_chunk[reply.chunk] = reply if first is None else Reply(
            chunk=first.chunk, text=join_words([first.text, reply.text]), emotion=first.emotion,
            event=first.event, review_of=first.review_of)
    return tuple(by_chunk.values())


def answer_events(plan: LanePlan, events: Sequence[Event],
                  rules: Rules) -> tuple[Reply, ...]:
    own = {answer.event for answer in plan.answers}
    others = [event for index, event in enumerate(events) if index not in own]
    critical = {} if plan.kind == 'told' else rules.critical
    alerts = [Reply(chunk=reply.chunk, text=reply.text, emotion=reply.emotion,
                    event=None if reply.event is None else events.index(others[reply.event]))
              for reply in alert_replies(others, critical, latest_s=rules.alert_latest_s,
                                         size=rules.chunk_size)]
    answers = [Reply(chunk=reply_chunk(events[answer.event].end_s,
                                       least_delay_s=rules.least_delay_s,
                                       size=rules.chunk_size), text=answer.text,
                     emotion=answer.emotion, event=answer.event) for answer in plan.answers]
    replies = merge_replies([*answers, *alerts])
    place = {reply.event: index for index, reply in enumerate(replies)}
    back = {answer.event: answer.review_of for answer in plan.answers}
    return tuple(Reply(chunk=reply.chunk, text=reply.text, emotion=reply.emotion,
                       event=reply.event, review_of=place.get(back.get(reply.event, -1)))
                 if reply.event is not None else reply for reply in replies)


def lane_replies(plan: LanePlan, events: Sequence[Event], heard: Sequence[np.ndarray],
                 rules: Rules | None = None) -> Lane:
    """
    Return a lane with its replies.

    ``events`` begin with the plan's foreground, ``heard`` are its samples at 16 kHz (one array
    per foreground event, as placed).
    """
    rules = rules or Rules()
    replies: list[Reply] = []
    if plan.kind in ('answers', 'told'):
        return Lane(prompt=plan.prompt, replies=answer_events(plan, events, rules))
    for index, (event, samples) in enumerate(zip(events, heard, strict=False)):
        if plan.kind == 'words' and event.clip.text:
            words = event.clip.text.split()
            ends = word_ends(words, samples, event.start_s)
            replies += asr_replies(list(zip(words, ends, strict=True)), event=index,
                                   least_delay_s=rules.least_delay_s, size=rules.chunk_size)
        elif plan.kind == 'phrases' and event.clip.translation:
            replies += translation_replies(time_translation(event, samples), event=index,
                                           least_delay_s=rules.least_delay_s,
                                           size=rules.chunk_size)
    return Lane(prompt=plan.prompt, replies=merge_replies(replies))
