"""Events on the terminal: for people (one line per reply) or as JSON lines."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum

from audio_interaction_ros.alerts.alert import Alert, AlertChange
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.stream.events import (
    AnswerText,
    Event,
    FinalReply,
    FinalTranscript,
    FinalTranslation,
    PartialTranscript,
    PartialTranslation,
    ReplyFinished,
    ReplyText,
    ReplyWithheld,
    Silence,
    SoundStarted,
)
from audio_interaction_ros.terminal import draw_in_place, is_live, one_line

__all__ = ['JsonPrinter', 'TextPrinter', 'describe_intent', 'describe_silence',
           'describe_sound']

_UNFINISHED = {ReplyFinished: ' (draft)', ReplyText: ''}
"""What stands behind words that are shown in place; an ellipsis else."""
_MARKS = {'second_pass': 'second pass', 'streamed': 'as streamed'}


def _to_json_value(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no NaN
    return value.name if isinstance(value, Enum) else value


def describe_silence(audio_s: float, nearest: Mapping[str, float],
                     thresholds: Mapping[str, float]) -> str:
    """
    Return a line for audio of which nothing was printed, and how near each lane came.

    ``nearest`` is the highest p_respond of each lane, ``thresholds`` what it would have taken.
    """
    lanes = [f'{lane} {p:.2f}' + (f' of {thresholds[lane]:.2f}' if lane in thresholds else '')
             for lane, p in nearest.items()]
    how_near = f'; p_respond: {", ".join(lanes)}' if lanes else ''
    return (f'nothing heard in {audio_s:.1f} s of audio{how_near} '
            f'(docs/interfaces.md, "Why it is quiet")')


def describe_sound(sound: str, score: float, threshold: float) -> str:
    """Return a sound that began in words: its score, and what that had to reach."""
    return f'{sound} {score:.2f} (threshold {threshold:.2f})'


def describe_intent(name: str, confidence: float, slots: Mapping[str, str]) -> str:
    """Return what somebody wants in words: its name, its slots, how sure it is; '' for none."""
    if not name:
        return ''
    said = ', '.join(f'{slot} {value}' for slot, value in slots.items())
    return f'[{name}{": " if said else ""}{said} {confidence:.2f}]'


def _tell_final(event: ReplyWithheld | FinalTranscript | FinalTranslation) -> str:
    """Return what is printed of words that will not change any more."""
    if isinstance(event, ReplyWithheld):
        return f'(withheld, confidence {event.confidence:.2f}: {event.text})'
    source = f'  ← {event.source_text}' if isinstance(
        event, FinalTranslation) and event.source_text else ''
    return f'{event.text or "(nobody spoke)"}{source}  [{_MARKS[event.source]}]'


class JsonPrinter:
    """One object per line: ``t`` (seconds of audio), ``lane``, ``event``, and its fields."""

    def __init__(self, *, silent_too: bool = False) -> None:
        self._silent_too = silent_too

    def show(self, event: Event | AlertChange) -> None:
        """Print one event."""
        if isinstance(event, Silence) and not self._silent_too:
            return
        if isinstance(event, AlertChange):
            fields, lane, stamp_ns = asdict(event.alert), 'alerts', event.alert.last_seen_ns
        else:
            fields = asdict(event)
            lane, stamp_ns = fields.pop('lane'), fields.pop('stamp_ns')
        record = {'t': round(stamp_ns / 1e9, 3), 'lane': lane, 'event': type(event).__name__}
        record.update((key, _to_json_value(value)) for key, value in fields.items())
        print(json.dumps(record, ensure_ascii=False), flush=True)

    def close(self) -> None:
        """Print nothing: the stream of objects is complete."""


class TextPrinter:
    """
    One line per reply, alert, or sound that began.

    What grows, and what a second pass will read again, is shown in place on a terminal only.
    """

    def __init__(self, assistant: Assistant, *, silent_too: bool = False) -> None:
        self._assistant = assistant
        self._silent_too = silent_too
        self._live = is_live(sys.stdout)
        self._printed = 0
        self._said = ''
        self._nearest: dict[str, float] = {}

    def show(self, event: Event | AlertChange) -> None:
        """Print one event."""
        match event:
            case AlertChange():
                self._show_alert(event.alert)
            case SoundStarted():
                self._print_line(event.onset_ns, 'sound',
                                 describe_sound(event.sound, event.score, event.threshold))
            case Silence():
                self._show_silence(event)
            case ReplyFinished() if event.lane not in self._assistant.read_again:
                self._show_reply(event, event.text)
            case FinalReply():
                intent = describe_intent(event.intent, event.intent_confidence, event.slots)
                self._show_reply(event, ' '.join(filter(None, (event.text, intent))))
            case ReplyWithheld() | FinalTranscript() | FinalTranslation():
                self._print_line(event.stamp_ns, event.lane, _tell_final(event))
            case ReplyText() if event.lane in self._assistant.shows_words:
                pass  # what was read of the same speech is better
            case (ReplyFinished() | PartialTranscript() | PartialTranslation() | AnswerText()
                  | ReplyText()):
                self._in_place(event, event.text + _UNFINISHED.get(type(event), ' …'))

    def _show_alert(self, alert: Alert) -> None:
        message = '' if alert.message == self._said else f': {alert.message}'
        self._print_line(alert.last_seen_ns, 'ALERT', f'{alert.severity.name} '
                         f'{alert.label} ({alert.state.name.lower()}){message}')

    def _show_reply(self, event: ReplyFinished | FinalReply, text: str) -> None:
        self._print_line(event.stamp_ns, event.lane, text or '(no text)')
        self._said = event.text

    def _show_silence(self, event: Silence) -> None:
        self._nearest[event.lane] = max(event.p_respond, self._nearest.get(event.lane, 0.0))
        if self._silent_too:
            self._write(event.stamp_ns, event.lane, f'. p_respond {event.p_respond:.3f}')

    def _print_line(self, stamp_ns: int, lane: str, text: str) -> None:
        self._printed += 1
        self._write(stamp_ns, lane, text)

    def _write(self, stamp_ns: int, lane: str, text: str) -> None:
        start = '\r\033[K' if self._live else ''
        print(f'{start}{stamp_ns / 1e9:8.1f} s  {lane:<11} {one_line(text)}', flush=True)

    def _in_place(self, event: Event, text: str) -> None:
        if self._live:
            start = f'{event.stamp_ns / 1e9:8.1f} s  {event.lane:<11} '
            print(draw_in_place(start, text), end='', flush=True)

    def close(self) -> None:
        """Say what was heard and how fast."""
        stats = self._assistant.stats
        if not self._printed:
            print(describe_silence(stats.audio_s, self._nearest, self._assistant.thresholds))
        print(f'{stats.audio_s:.1f} s of audio, worked off in {stats.busy_s:.1f} s, '
              f'{stats.replies} replies, {stats.alerts} alerts'
              + (f', {stats.withheld} replies withheld' if stats.withheld else ''))
