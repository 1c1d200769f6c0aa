"""
A reply while a lane writes it: its words so far, and the events that tell of them.

Owns what is told, and when: of a reply to the robot's own voice nothing before its end; of one
that must be sure of its words (``min_confidence``) nothing before it is. Knows no tokens and no
context; each event is given its place in the stream.
"""

from typing import Any

from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.confidence import Confidence
from audio_interaction_ros.stream.detokenizer import Detokenizer
from audio_interaction_ros.stream.events import (
    Event,
    ReplyEmotion,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
)

__all__ = ['WrittenReply']


class WrittenReply:
    """
    One reply of one lane; ``place`` has the fields that every event has.

    With ``min_confidence`` above 0 it comes whole, or not at all.
    """

    def __init__(self, *, reply_id: str, p_respond: float, start_ns: int, end_ns: int,
                 own_voice: bool, min_confidence: float) -> None:
        """Begin a reply to the audio of a span; ``own_voice``: the robot spoke in it."""
        self._id, self._p_respond = reply_id, p_respond
        self._start_ns, self._end_ns = start_ns, end_ns
        self._own_voice, self._least = own_voice, min_confidence
        self._emotion: Emotion | None = None
        self._text = Detokenizer()
        self._confidence = Confidence()

    def start(self, place: dict[str, Any]) -> ReplyStarted:
        """Return the event that tells of its beginning."""
        return ReplyStarted(**place, reply_id=self._id, p_respond=self._p_respond,
                            start_ns=self._start_ns, robot_speaking=self._own_voice)

    def weigh(self, log_prob: float) -> None:
        """Take in how sure the model was of a token."""
        self._confidence.add(log_prob)

    def set_emotion(self, emotion: Emotion, place: dict[str, Any]) -> list[Event]:
        """Take the tone of the words to come."""
        self._emotion = emotion
        return [] if self._is_kept_back else [self._tell_emotion(emotion, place)]

    def add(self, data: bytes, place: dict[str, Any]) -> list[Event]:
        """Take the bytes of one more token."""
        return self._tell_more(self._text.push(data), place)

    def finish(self, reason: str, place: dict[str, Any]) -> list[Event]:
        """End it; return what is still to be told, or that it is withheld."""
        sure = self._confidence.value
        what: dict[str, Any] = {
            **place, 'reply_id': self._id, 'text': self._text.text.strip(),
            'emotion': self._emotion or Emotion.NORMAL, 'start_ns': self._start_ns,
            'end_ns': self._end_ns, 'p_respond': self._p_respond, 'confidence': sure}
        if self._least > 0 and not sure >= self._least:  # also where it is NaN
            return [ReplyWithheld(**what)]
        late = self._tell_all(place) if self._least > 0 and not self._own_voice else []
        return [*late, ReplyFinished(**what, reason=reason, robot_speaking=self._own_voice)]

    @property
    def _is_kept_back(self) -> bool:
        return self._least > 0 or self._own_voice

    def _tell_more(self, delta: str, place: dict[str, Any]) -> list[Event]:
        return [self._tell_text(delta, place)] if delta and not self._is_kept_back else []

    def _tell_all(self, place: dict[str, Any]) -> list[Event]:
        """Return what a reply that is sure enough would have shown meanwhile, in one piece."""
        text, emotion = self._text.text, self._emotion
        return [*([] if emotion is None else [self._tell_emotion(emotion, place)]),
                *([self._tell_text(text, place)] if text else [])]

    def _tell_emotion(self, emotion: Emotion, place: dict[str, Any]) -> ReplyEmotion:
        return ReplyEmotion(**place, reply_id=self._id, emotion=emotion)

    def _tell_text(self, delta: str, place: dict[str, Any]) -> ReplyText:
        return ReplyText(**place, reply_id=self._id, delta=delta, text=self._text.text)
