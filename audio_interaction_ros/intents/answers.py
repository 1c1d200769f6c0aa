"""
What a robot answers: from the words that were read, where there are any.

Owns which finished reply of a lane waits for the words, which words answer it, and what is said
where they were not understood. A reply that tells of a sound never waits. Knows no clock: it is
told audio time, and that some speech is being read. What no intent explains a text model may
answer, which is asked with an AnswerWanted.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from audio_interaction_ros.intents.address import Address
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.intents.matching import Intent, IntentMatcher
from audio_interaction_ros.intents.words import is_chinese, tokenise
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import (
    AnswerWanted,
    FinalReply,
    FinalTranscript,
    ReplyFinished,
)

__all__ = ['NOT_UNDERSTOOD', 'Answer', 'AnswerStats', 'Answers', 'apology']

NOT_UNDERSTOOD = {'en': 'Sorry, I did not catch that.', 'zh': '对不起，我没听清。'}
PATIENCE_NS = 4_000_000_000
"""So long after a reply the lane of transcripts may still find that somebody spoke."""
_LOST_NS = 60_000_000_000
"""Words that did not come so long after they were said were lost on their way."""
_REMEMBERED = 16
Answer = FinalReply | AnswerWanted


@dataclass
class AnswerStats:
    """Counters since the beginning."""

    from_words: int = 0
    """Answers to what was read and understood."""
    not_understood: int = 0
    asked: int = 0
    """Texts that no intent explains, for a text model to answer."""
    of_model: int = 0
    """Replies that stay as the lane wrote them, for they tell of a sound or nobody spoke."""
    not_meant: int = 0
    """Texts that were not for the robot."""
    cut_short: int = 0
    """Times that a word such as "stop" ended what was said."""


@dataclass
class _Span:
    start_ns: int
    end_ns: int

    def meets(self, other: '_Span') -> bool:
        return self.start_ns < other.end_ns and other.start_ns < self.end_ns


@dataclass
class _Held:
    reply: ReplyFinished
    span: _Span = field(init=False)

    def __post_init__(self) -> None:
        self.span = _Span(self.reply.start_ns, self.reply.end_ns)


class Answers:
    """Turns replies of a lane and texts that were read into answers; for one stream."""

    def __init__(self, *, lane: str, matcher: IntentMatcher, address: Address, barge_in: BargeIn,
                 min_confidence: float, min_word_confidence: float,
                 tells_of_sound: Callable[[str], bool], converses: bool = False) -> None:
        """
        Take what understands words; ``lane`` is who answers where no lane has spoken.

        ``tells_of_sound``: whether a sentence is about a sound that matters. ``converses``: a text
        model answers what was read surely enough and no intent explains.
        """
        self._converses = converses
        self.lane, self._matcher, self._address = lane, matcher, address
        self._barge_in, self._tells_of_sound = barge_in, tells_of_sound
        self._least, self._least_of_words = min_confidence, min_word_confidence
        self._held: list[_Held] = []
        self._being_read: dict[str, _Span] = {}
        self._settled: deque[tuple[_Span, FinalTranscript | None]] = deque(maxlen=_REMEMBERED)
        # With each text that was meant, not understood and not answered: the lane may yet ask.
        self.stats = AnswerStats()

    @property
    def waiting(self) -> int:
        """How many replies wait for words."""
        return len(self._held)

    def reset(self) -> None:
        """Forget what waits, as at the start of another stream."""
        self._held.clear()
        self._being_read.clear()
        self._settled.clear()
        self._address.reset()

    def wake(self, at_ns: int) -> None:
        """Take it that something woke the robot at an audio time."""
        self._address.wake(at_ns)

    def is_cut_short(self, text: str) -> bool:
        """
        Tell whether a text, final or partial, is a word such as "stop", which ends every reply.

        What waits for its words is dropped then; whoever asked ends what is being said.
        """
        if not self._barge_in.is_called(text):
            return False
        self._held.clear()
        self.stats.cut_short += 1
        return True

    def note_reading(self, name: str, start_ns: int, end_ns: int) -> None:
        """Take it that speech is being read, for the first time or again: its words will come."""
        self._being_read[name] = _Span(start_ns, end_ns)

    def forget_reading(self, name: str) -> None:
        """Take it that no words come of a reading; others may yet come of the same speech."""
        self._being_read.pop(name, None)

    def on_reply(self, reply: ReplyFinished) -> list[Answer]:
        """Take a finished reply of a lane; return it where it need not wait for any words."""
        if reply.robot_speaking or reply.reason in ('cancel', 'reset'):
            return []  # nobody has seen anything of it
        if reply.emotion is Emotion.URGENT or self._tells_of_sound(reply.text):
            return [self._keep(reply)]
        held = _Held(reply)
        settled = [text for span, text in self._settled if held.span.meets(span)]
        if not settled:
            self._held.append(held)
        elif settled[-1] is not None:
            self._settled.pop()
            return [self._reply_freely(settled[-1], reply)]
        return []  # words were answered already, or were not for the robot

    def tick(self, now_ns: int) -> list[FinalReply]:
        """Return replies for which no words will come any more, at this audio time."""
        self._being_read = {name: span for name, span in self._being_read.items()
                            if now_ns - span.end_ns <= _LOST_NS}
        late = [held for held in self._held if now_ns - held.span.end_ns > PATIENCE_NS
                and not any(held.span.meets(span) for span in self._being_read.values())]
        return [self._release(held) for held in late]

    def give_up(self) -> list[FinalReply]:
        """Return every reply that waits, at the end of a stream."""
        return [self._release(held) for held in list(self._held)]

    def on_words(self, heard: FinalTranscript) -> list[Answer]:
        """Take the final text of an utterance; return what is answered to it, if anything."""
        span = _Span(heard.start_ns, heard.end_ns)
        draft = self._being_read.pop(heard.reply_id, span)
        held = [one for one in self._held if one.span.meets(span) or one.span.meets(draft)]
        if not tokenise(heard.text) or heard.source != 'second_pass':
            return [self._release(one) for one in held]
        self._held = [one for one in self._held if one not in held]
        answers, open_ = self._answer(heard, held[0].reply if held else None)
        self._settled.append((_Span(min(span.start_ns, draft.start_ns),
                                    max(span.end_ns, draft.end_ns)), heard if open_ else None))
        return answers

    def _answer(self, heard: FinalTranscript,
                reply: ReplyFinished | None) -> tuple[list[Answer], bool]:
        """Return what is answered, and whether an answer is due if the lane finds so yet."""
        meant = self._address.is_meant(heard.text, heard.start_ns, heard.end_ns) or (
            heard.ended_by == 'push_to_talk')  # who holds the button speaks to the robot
        intent = self._understand(heard)
        if intent is not None and (meant or intent.without_name):
            self.stats.from_words += 1
            return [_make_answer(heard, reply, self.lane, intent.answer, intent)], False
        if not meant:
            self.stats.not_meant += 1
            return [], False
        if reply is None and not self._address.names_robot(heard.text):
            return [], True  # neither the lane nor a name says that an answer is due
        return [self._reply_freely(heard, reply)], False

    def _reply_freely(self, heard: FinalTranscript, reply: ReplyFinished | None) -> Answer:
        """Have words answered that no intent explains; apologise where they were not caught."""
        if self._converses and not heard.confidence < self._least_of_words:
            self.stats.asked += 1
            return _make_question(heard, reply, self.lane)
        self.stats.not_understood += 1
        return _make_answer(heard, reply, self.lane, apology(heard.text), None)

    def _understand(self, heard: FinalTranscript) -> Intent | None:
        """Return what was asked for, where it was read and understood surely enough."""
        if heard.confidence < self._least_of_words:  # NaN: who read it does not say
            return None
        intent = self._matcher.match(heard.text, heard.confidence)
        return intent if intent is not None and intent.confidence >= self._least else None

    def _release(self, held: _Held) -> FinalReply:
        self._held.remove(held)
        return self._keep(held.reply)

    def _keep(self, reply: ReplyFinished) -> FinalReply:
        """Return a reply as its lane wrote it."""
        self.stats.of_model += 1
        return FinalReply(
            lane=reply.lane, stamp_ns=reply.stamp_ns, epoch=reply.epoch, seq=reply.seq,
            reply_id=reply.reply_id, text=reply.text, emotion=reply.emotion, source='model',
            streamed_text=reply.text, start_ns=reply.start_ns, end_ns=reply.end_ns)


def apology(said: str) -> str:
    """Return what is answered to a text that was not understood, in its language."""
    return NOT_UNDERSTOOD['zh' if is_chinese(said) else 'en']


def _make_question(heard: FinalTranscript, reply: ReplyFinished | None,
                   lane: str) -> AnswerWanted:
    of = _make_answer(heard, reply, lane, '', None)
    return AnswerWanted(
        lane=of.lane, stamp_ns=of.stamp_ns, epoch=of.epoch, seq=of.seq, reply_id=of.reply_id,
        text=heard.text, language=heard.language, transcript_id=of.transcript_id,
        streamed_text=of.streamed_text, start_ns=of.start_ns, end_ns=of.end_ns)


def _make_answer(heard: FinalTranscript, reply: ReplyFinished | None, lane: str, text: str,
                 intent: Intent | None) -> FinalReply:
    """Return an answer, under the id of the lane's own reply where there is one."""
    of: ReplyFinished | FinalTranscript = heard if reply is None else reply
    lane = lane if reply is None else reply.lane
    sure = 0.0 if intent is None or math.isnan(intent.confidence) else intent.confidence
    return FinalReply(
        lane=lane, stamp_ns=of.stamp_ns, epoch=of.epoch, seq=of.seq,
        reply_id=_name_answer(heard, lane) if reply is None else reply.reply_id, text=text,
        emotion=Emotion.NORMAL, source='words', streamed_text='' if reply is None else reply.text,
        source_text=heard.text, transcript_id=heard.utterance_id or heard.reply_id,
        intent='' if intent is None else intent.name, intent_confidence=sure,
        slots={} if intent is None else dict(intent.slots), start_ns=heard.start_ns,
        end_ns=heard.end_ns)


def _name_answer(heard: FinalTranscript, lane: str) -> str:
    """Return an id of its own for each answer; words that silence ended know no chunk."""
    chunk = f'{heard.epoch}-{heard.seq}' if heard.epoch or heard.seq else heard.utterance_id
    return f'{chunk}-{lane}'
