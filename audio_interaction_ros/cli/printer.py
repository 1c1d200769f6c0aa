"""Events on the terminal: for people (one line per reply) or as JSON lines."""

import json
import math
import sys
from dataclasses import asdict
from enum import Enum

from audio_interaction_ros.alerts.alert import AlertChange
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.stream.events import (
    Event,
    FinalTranscript,
    FinalTranslation,
    ReplyFinished,
    ReplyText,
    ReplyWithheld,
    Silence,
)

__all__ = ['JsonPrinter', 'TextPrinter']


_MARKS = {'second_pass': 'second pass', 'streamed': 'as streamed'}


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no NaN
    return value.name if isinstance(value, Enum) else value


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
        record.update((key, _plain(value)) for key, value in fields.items())
        print(json.dumps(record, ensure_ascii=False), flush=True)

    def close(self, assistant: Assistant) -> None:
        """Print nothing: the stream of objects is complete."""


class TextPrinter:
    """One line per reply or alert, partial text shown in place on a terminal."""

    def __init__(self, *, silent_too: bool = False) -> None:
        self._silent_too = silent_too
        self._live = sys.stdout.isatty()

    def show(self, event: Event | AlertChange) -> None:
        """Print one event."""
        match event:
            case AlertChange():
                alert = event.alert
                self._line(alert.last_seen_ns, 'ALERT', f'{alert.severity.name} '
                           f'{alert.label} ({alert.state.name.lower()}): {alert.message}')
            case ReplyFinished():
                self._line(event.stamp_ns, event.lane, event.text or '(no text)')
            case ReplyWithheld():
                self._line(event.stamp_ns, event.lane,
                           f'(withheld, confidence {event.confidence:.2f}: {event.text})')
            case FinalTranscript():
                self._line(event.stamp_ns, event.lane,
                           f'{event.text or "(nobody spoke)"}  [{_MARKS[event.source]}]')
            case FinalTranslation():
                source = f'  ← {event.source_text}' if event.source_text else ''
                self._line(event.stamp_ns, event.lane, f'{event.text or "(nobody spoke)"}'
                           f'{source}  [{_MARKS[event.source]}]')
            case ReplyText() if self._live:
                print(f'\r{event.stamp_ns / 1e9:8.1f} s  {event.lane:<11} {event.text}',
                      end='', flush=True)
            case Silence() if self._silent_too:
                self._line(event.stamp_ns, event.lane, f'. p_respond {event.p_respond:.3f}')

    def _line(self, stamp_ns: int, lane: str, text: str) -> None:
        start = '\r\033[K' if self._live else ''
        print(f'{start}{stamp_ns / 1e9:8.1f} s  {lane:<11} {text}', flush=True)

    def close(self, assistant: Assistant) -> None:
        """Say what was heard and how fast."""
        stats = assistant.stats
        print(f'{stats.audio_s:.1f} s of audio in {stats.busy_s:.1f} s of computing '
              f'(real-time factor {stats.real_time_factor:.2f}), '
              f'{stats.replies} replies, {stats.alerts} alerts'
              + (f', {stats.withheld} replies withheld' if stats.withheld else ''))
