"""Whole utterances, each heard by the transcript lane and, beside it, by another reader."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.hearing.listener import Listener
from eval.hearing.record import Hearing
from eval.speech_clips import LEAD_S, SpeechClip
from held_out.clips import RATE, find_sounding, load
from measure import report
from measure.whisper import Reader

__all__ = ['LANE', 'ReadUtterance', 'join_hearing', 'listen']

LANE = 'transcript'


@dataclass
class ReadUtterance:
    """One utterance and what was made of it; times are seconds of the stream."""

    name: str
    kind: str
    group: str
    reference: str
    start: float
    end: float
    streamed: str = ''
    final: str | None = None
    whole: str | None = None
    """What the reader of whole utterances read."""
    whole_s: float = 0.0
    shown: list[tuple[float, float, str]] = field(default_factory=list)
    """Each text on the screen: audio time, seconds of computing, all words so far."""
    replies: int = 0


def join_hearing(clip: SpeechClip, samples: np.ndarray, hearing: Hearing) -> ReadUtterance:
    """Join an utterance with what was heard of it."""
    first, last = find_sounding(samples)
    utterance = ReadUtterance(name=clip.name, kind=clip.kind, group=clip.group,
                              reference=clip.text,
                              start=LEAD_S + first / RATE, end=LEAD_S + last / RATE)
    before = ''
    for reply in hearing.replies_of(LANE):
        utterance.replies += 1
        utterance.shown += [(reply.at, spent, f'{before} {text}'.strip())
                            for spent, text in reply.shown]
        before = f'{before} {reply.text}'.strip()
        if reply.final is not None:
            utterance.final = f'{utterance.final or ""} {reply.final}'.strip()
    utterance.streamed = before
    return utterance


def listen(listener: Listener, clips: Sequence[SpeechClip],
           beside: Reader | None) -> list[ReadUtterance]:
    """Hear all utterances, each after a short silence, showing how far it is."""
    return [_listen_to(clip, listener, beside) for clip in report.track('utterances', clips)]


def _listen_to(clip: SpeechClip, listener: Listener, beside: Reader | None) -> ReadUtterance:
    samples = load(clip.path)
    padded = np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32), samples])
    utterance = join_hearing(clip, samples, listener.hear(clip.name, padded))
    if beside is not None:
        utterance.whole, utterance.whole_s = beside.read(clip.name, samples)
    return utterance
