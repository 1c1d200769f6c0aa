"""
Messages of the assistant's topics as what was heard: of nodes that run, or out of a bag.

Owns what their fields mean here. A message is any object with these fields: of ROS, or as a bag
is read without it. Needs no message package.
"""

from collections.abc import Callable
from typing import Any

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.audio.messages import stamp_ns
from audio_interaction_ros.replay.collect import Collector
from audio_interaction_ros.replay.heard import Heard

__all__ = ['HEARD_TOPICS', 'MessageCollector']

_ENDED = 1  # SoundEvent.ENDED


class MessageCollector(Collector):
    """Takes in messages of the topics in HEARD_TOPICS."""

    def note(self, topic: str, message: Any) -> None:
        """Take in a message of a topic, named without its namespace."""
        _NOTES[topic](self, message)

    def _note_transcript(self, message: Any) -> None:
        self._note_words('transcript', message)

    def _note_translation(self, message: Any) -> None:
        self._note_words('translation', message)

    def _note_words(self, kind: str, message: Any) -> None:
        if message.is_final:
            self._add_words(Heard(
                kind=kind, start_s=self._time(stamp_ns(message.start)),
                end_s=self._time(stamp_ns(message.end)), text=message.text,
                language=message.language))

    def _note_reply(self, message: Any) -> None:
        if message.is_final:
            when = self._time(stamp_ns(message.header.stamp))
            self._add_words(Heard(
                kind='reply', start_s=when, end_s=when, text=message.text, intent=message.intent,
                slots=dict(zip(message.slot_names, message.slot_values, strict=False))))

    def _note_alert(self, message: Any) -> None:
        self._put_named(message.id, Heard(
            kind='alert', start_s=self._time(stamp_ns(message.header.stamp)),
            end_s=self._time(stamp_ns(message.last_seen)), label=message.label,
            severity=Severity(message.severity), text=message.message))

    def _note_sound(self, message: Any) -> None:
        onset_ns = stamp_ns(message.onset)
        end_ns = stamp_ns(message.offset) if message.state == _ENDED else onset_ns
        self._put_named(f'{message.sound} {onset_ns}', Heard(
            kind='sound', start_s=self._time(onset_ns), end_s=self._time(end_ns),
            label=message.sound))


_NOTES: dict[str, Callable[[MessageCollector, Any], None]] = {
    'transcript': MessageCollector._note_transcript,
    'translation': MessageCollector._note_translation,
    'reply': MessageCollector._note_reply,
    'alerts': MessageCollector._note_alert,
    'sounds': MessageCollector._note_sound,
}
HEARD_TOPICS = tuple(_NOTES)
"""Topics that a message of what was heard comes on, without their namespace."""
