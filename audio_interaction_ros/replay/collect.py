"""
Events of the assistant as what was heard: finals only, one entry for an alert and for a sound.

Owns which event counts. A draft that a second pass reads again is none; an alert that is repeated
or gets worse stays one.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from audio_interaction_ros.alerts.alert import Alert, AlertChange
from audio_interaction_ros.replay.heard import SPOKEN_KINDS, Heard, in_order, seconds_since
from audio_interaction_ros.stream.events import (
    Event,
    FinalReply,
    FinalTranscript,
    FinalTranslation,
    ReplyFinished,
    SoundEnded,
    SoundStarted,
)

__all__ = ['Collector', 'EventCollector']


class Collector:
    """What was heard so far; ``zero_ns`` is the stamp of the first sample."""

    def __init__(self, zero_ns: int = 0) -> None:
        """Start empty."""
        self.zero_ns = zero_ns
        self._words: list[Heard] = []
        self._open: dict[tuple[str, str], Heard] = {}

    @property
    def heard(self) -> list[Heard]:
        """Everything that was heard, in order."""
        return in_order((*self._words, *self._open.values()))

    def _time(self, stamp_ns: int) -> float:
        return seconds_since(stamp_ns, self.zero_ns)

    def _add_words(self, one: Heard) -> None:
        """Keep words and replies, unless there are none."""
        if one.text or one.intent:
            self._words.append(one)

    def _put_named(self, key: str, one: Heard) -> None:
        """Keep an alert or a sound; what is told of it again makes it longer and worse."""
        before = self._open.get((one.kind, key))
        if before is not None:
            worst = max((item.severity for item in (before, one) if item.severity is not None),
                        default=None)
            one = replace(one, start_s=before.start_s, end_s=max(before.end_s, one.end_s),
                          severity=worst)
        self._open[one.kind, key] = one


class EventCollector(Collector):
    """Takes in the events of ``offline.Assistant``."""

    def __init__(self, *, kinds: Mapping[str, str], read_again: Collection[str]) -> None:
        """
        Start empty.

        ``kinds`` are the kinds of the lanes by name; of lanes in ``read_again`` a finished reply
        is a draft, and its final comes in an event of its own.
        """
        super().__init__()
        self._kinds, self._read_again = kinds, read_again

    def note(self, event: Event | AlertChange) -> None:
        """Take in one event."""
        match event:
            case AlertChange():
                self._note_alert(event.alert)
            case SoundStarted():
                self._note_sound(event, event.onset_ns)
            case SoundEnded():
                self._note_sound(event, event.offset_ns)
            case FinalTranscript() | FinalTranslation():
                kind = 'transcript' if isinstance(event, FinalTranscript) else 'translation'
                self._note_words(kind, event, event.language)
            case FinalReply():
                when = self._time(event.stamp_ns)
                self._add_words(Heard(kind='reply', start_s=when, end_s=when, text=event.text,
                                      intent=event.intent, slots=dict(event.slots)))
            case ReplyFinished() if event.lane not in self._read_again:
                self._note_reply(event)

    def _note_words(self, kind: str, event: FinalTranscript | FinalTranslation | ReplyFinished,
                    language: str = '') -> None:
        self._add_words(Heard(kind=kind, start_s=self._time(event.start_ns),
                              end_s=self._time(event.end_ns), text=event.text,
                              language=language))

    def _note_reply(self, event: ReplyFinished) -> None:
        kind = self._kinds.get(event.lane, 'reply')
        if kind in SPOKEN_KINDS and kind != 'reply':
            self._note_words(kind, event)
        elif not event.robot_speaking:
            when = self._time(event.stamp_ns)
            self._add_words(Heard(kind='reply', start_s=when, end_s=when, text=event.text))

    def _note_alert(self, alert: Alert) -> None:
        self._put_named(alert.id, Heard(
            kind='alert', start_s=self._time(alert.stamp_ns),
            end_s=self._time(alert.last_seen_ns), label=alert.label, severity=alert.severity,
            text=alert.message))

    def _note_sound(self, event: SoundStarted | SoundEnded, end_ns: int) -> None:
        self._put_named(f'{event.sound} {event.onset_ns}', Heard(
            kind='sound', start_s=self._time(event.onset_ns), end_s=self._time(end_ns),
            label=event.sound))
