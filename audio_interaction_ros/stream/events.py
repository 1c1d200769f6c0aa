"""
What a lane says as it listens: small frozen records, each stamped with audio time.

Times are nanoseconds of the stream's own clock (message stamps); latencies are measured by
whoever publishes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.spoken_word import SpokenWord, WordsShown

__all__ = [
    'AnswerText', 'AnswerWanted', 'ContextRolled', 'Event', 'FinalReply', 'FinalTranscript',
    'FinalTranslation', 'PartialTranscript', 'PartialTranslation', 'ReplyEmotion',
    'ReplyFinished', 'ReplyStarted', 'ReplyText', 'ReplyWithheld', 'Silence', 'SoundEnded',
    'SoundStarted', 'StreamReset',
]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events."""

    lane: str
    stamp_ns: int
    """End of the chunk (audio time) that the lane had heard when this happened."""
    epoch: int
    seq: int
    """Sequence number of that chunk."""


@dataclass(frozen=True, kw_only=True)
class Silence(Event):
    """The lane decided to stay silent."""

    p_respond: float
    """0 where nothing was heard, so that the model was not asked."""


@dataclass(frozen=True, kw_only=True)
class ReplyStarted(Event):
    """The lane decided to respond."""

    reply_id: str
    """epoch-seq-lane: of the chunk on which it was decided; unique in a stream."""
    p_respond: float
    start_ns: int
    """Audio time at which what is answered began, as far as levels tell (``stream.onset``): not
    before the end of this lane's previous reply or the last gap."""
    robot_speaking: bool = False
    """Decided while the robot itself spoke: nobody is answered, only alerts may come of it."""


@dataclass(frozen=True, kw_only=True)
class ReplyEmotion(Event):
    """The first token of the reply named a tone."""

    reply_id: str
    emotion: Emotion


@dataclass(frozen=True, kw_only=True)
class ReplyText(Event):
    """More text; ``delta`` holds whole characters only."""

    reply_id: str
    delta: str
    text: str
    """All text of the reply so far."""


@dataclass(frozen=True, kw_only=True)
class ReplyFinished(Event):
    """The reply is over and the lane listens again."""

    reply_id: str
    text: str
    emotion: Emotion
    reason: str
    """end | budget | loop | cancel | reset."""
    start_ns: int
    end_ns: int
    """Audio span that was answered: start of what was heard to the chunk of the decision."""
    p_respond: float
    confidence: float = 1.0
    """Geometric mean of the probabilities of its tokens; 1 for a reply without any."""
    robot_speaking: bool = False
    """Decided while the robot itself spoke: for alerts only, not to be shown or said."""


@dataclass(frozen=True, kw_only=True)
class ReplyWithheld(Event):
    """The reply is over and nobody is told of it: the model was not sure of its words."""

    reply_id: str
    text: str
    emotion: Emotion
    confidence: float
    """Geometric mean of the probabilities of its tokens, below the lane's min_confidence."""
    start_ns: int
    end_ns: int
    p_respond: float


@dataclass(frozen=True, kw_only=True)
class FinalTranscript(Event):
    """The last word on a reply of a transcript lane, after a second pass over its audio."""

    reply_id: str
    text: str
    """Empty where nobody spoke."""
    language: str
    """BCP-47 code that the second pass recognised; empty when unknown."""
    streamed_text: str
    source: str
    """second_pass or streamed: who wrote ``text``."""
    confidence: float
    """How sure that one was of its words, 0 to 1; NaN where there are none."""
    start_ns: int
    end_ns: int
    """Where the second pass heard the speech."""
    utterance_id: str = ''
    """That of the PartialTranscripts that it ends; empty where there were none."""
    words: tuple[SpokenWord, ...] = ()
    """Those of the text with their places; none where it was streamed."""
    ended_by: str = 'model'
    """What ended the utterance: model, silence, pause (of long speech) or push_to_talk."""


@dataclass(frozen=True, kw_only=True)
class PartialTranscript(WordsShown, Event):
    """What was read so far of an utterance that goes on; a FinalTranscript ends it."""


@dataclass(frozen=True, kw_only=True)
class FinalTranslation(Event):
    """The last word on a reply of a translation lane: translated from text where there was any."""

    reply_id: str
    text: str
    language: str
    """BCP-47 code of ``text``; empty where the streamed text stays as it is."""
    source_text: str
    """What the second pass read; empty when it read nothing."""
    source_language: str
    streamed_text: str
    revision: int = 0
    """How many PartialTranslations came before."""
    source: str
    """second_pass or streamed: who decided on ``text``, which is empty where nobody spoke."""
    confidence: float
    """How sure that one was of the words, 0 to 1; NaN where there are none."""
    start_ns: int
    end_ns: int
    """Where the second pass heard the speech."""


@dataclass(frozen=True, kw_only=True)
class PartialTranslation(Event):
    """What was translated so far of speech that goes on; a FinalTranslation ends it."""

    utterance_id: str
    """That of the PartialTranscripts that it follows."""
    revision: int
    text: str
    stable_length: int
    """Leading code points of ``text`` that no later revision changes, the final one neither."""
    language: str
    source_text: str
    source_language: str
    start_ns: int
    end_ns: int
    """Where the speech that was read began, and how far it goes."""


@dataclass(frozen=True, kw_only=True)
class AnswerWanted(Event):
    """Words that were for the robot and that no intent explains; a text model may answer."""

    reply_id: str
    text: str
    language: str
    transcript_id: str
    streamed_text: str
    """What the lane wrote; empty where it kept silent."""
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class AnswerText(Event):
    """More of an answer that a text model writes; a FinalReply ends it."""

    reply_id: str
    revision: int
    text: str
    """All of it so far."""
    delta: str
    source_text: str
    transcript_id: str


@dataclass(frozen=True, kw_only=True)
class FinalReply(Event):
    """The last word of a reply lane, where answers come from words that were read."""

    reply_id: str
    text: str
    """Empty where an intent has no sentence."""
    emotion: Emotion
    source: str
    """
    words, an intent in the text that was read; text_model, its answer to that text; or model, what
    the lane wrote as it heard.
    """
    revision: int = 0
    """How many AnswerTexts came before."""
    reason: str = 'end'
    """end | budget | loop | cancel."""
    streamed_text: str = ''
    """What the lane wrote; empty where it kept silent."""
    source_text: str = ''
    """What was said and is answered; empty for source model."""
    transcript_id: str = ''
    intent: str = ''
    intent_confidence: float = 0.0
    slots: Mapping[str, str] = field(default_factory=dict)
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class SoundStarted(Event):
    """A sound was heard for as long as its rule asks; ``lane`` is empty."""

    sound: str
    """Its name, of ``EncodedChunk.sounds``."""
    score: float
    """Largest so far, 0 to 1."""
    threshold: float
    """The score had to reach this."""
    onset_ns: int
    robot_speaking: bool = False
    """The robot itself spoke then."""


@dataclass(frozen=True, kw_only=True)
class SoundEnded(Event):
    """A sound that had started is no longer heard; ``lane`` is empty."""

    sound: str
    score: float
    """Largest while it lasted."""
    threshold: float
    onset_ns: int
    offset_ns: int


@dataclass(frozen=True, kw_only=True)
class ContextRolled(Event):
    """Oldest blocks were evicted from the lane's context."""

    evicted: int
    """Positions evicted."""


@dataclass(frozen=True, kw_only=True)
class StreamReset(Event):
    """A new epoch began, a reset was asked for or a step failed; the context starts anew."""

    fault: str = ''
    """What failed; empty where the reset was asked for."""
