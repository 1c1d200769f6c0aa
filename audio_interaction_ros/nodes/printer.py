"""
Prints what the assistant says, one line per final, and why it is quiet; for looking on.

Times are seconds since the audio began. A finding of the diagnostics is printed when it has stood
for a while, once until it changes; while a model loads, that alone is the reason.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node

from audio_interaction_msgs.msg import (
    Alert,
    Decision,
    Reply,
    SoundEvent,
    SoundScores,
    Transcript,
    Translation,
)
from audio_interaction_ros.alerts.alert import AlertState, Severity
from audio_interaction_ros.cli.printer import describe_intent, describe_silence, describe_sound
from audio_interaction_ros.nodes.io.chunk_pace import ChunkPace
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ, Emotion
from audio_interaction_ros.terminal import draw_in_place, is_live, one_line, print_on

__all__ = ['PrinterNode']

_GRACE_S = 5.0
_MODEL, _INPUT, _ALERTS = 'model', 'encoder_node: audio input', 'decoder_node: alerts'
_LOST_SAMPLES = ((_INPUT, 'lost_samples'), (_INPUT, 'lost_in_faults'))
_LOST_CHUNKS = (('encoder_node: fifo', 'dropped_overflow'),
                ('encoder_node: fifo', 'lost_in_flight'))
"""Counts of what was not heard, by task and key."""


class PrinterNode(Node):
    """Listens to the topics of the assistant and prints finals and alerts."""

    def __init__(self, *, grace_s: float = _GRACE_S, **options: Any) -> None:
        """Subscribe; a finding is printed when it has stood for ``grace_s``."""
        super().__init__('printer', **options)
        self._grace_s = grace_s
        self._zero_ns: int | None = None
        self._paces = {'decisions': ChunkPace(), 'scores': ChunkPace()}
        self._printed = 0
        self._over = False
        self._nearest: dict[str, float] = {}
        self._thresholds: dict[str, float] = {}
        self._loading: set[str] = set()
        self._findings: dict[str, tuple[str, float, bool]] = {}
        self._lost: Counter[tuple[str, str]] = Counter()
        self.create_subscription(DiagnosticArray, 'diagnostics', self._on_diagnostics,
                                 qos.DIAGNOSTICS)
        self.create_subscription(Decision, 'decisions', self._on_decision, qos.DECISIONS)
        self.create_subscription(Transcript, 'transcript', self._on_transcript, qos.EVENTS)
        self.create_subscription(Translation, 'translation', self._on_translation, qos.EVENTS)
        self.create_subscription(Reply, 'reply', self._on_reply, qos.EVENTS)
        self.create_subscription(Alert, 'alerts', self._on_alert, qos.EVENTS)
        self.create_subscription(SoundEvent, 'sounds', self._on_sound, qos.EVENTS)
        self.create_subscription(SoundScores, 'sounds/scores', self._on_scores, qos.DECISIONS)

    def note_recording_over(self) -> None:
        """Take it that no more audio will come, so that its lack is no finding."""
        self._over = True

    def conclude(self, audio_s: float) -> None:
        """Say what was not heard of so many seconds of audio, or that nothing was to be told."""
        self.tell_losses(audio_s)
        if not self._printed:
            print_on(sys.stdout, describe_silence(audio_s, self._nearest, self._thresholds))

    def tell_losses(self, audio_s: float) -> None:
        """Say how much of so many seconds of audio was lost on its way, where some was."""
        chunks_per_s = self._paces['decisions'].size.per_s
        lost_s = (sum(self._lost[count] for count in _LOST_SAMPLES) / SAMPLE_RATE_HZ
                  + sum(self._lost[count] for count in _LOST_CHUNKS) / chunks_per_s)
        if lost_s > 0:
            print_on(sys.stderr, f'{lost_s:.1f} of {audio_s:.1f} s of audio were not heard; where '
                     'the machine is too slow, --pace consumed plays no faster than it hears '
                     '(make assistant with ARGS="--pace consumed")')

    def _print(self, time_ns: int, topic: str, text: str) -> None:
        self._printed += 1
        when = '?' if self._zero_ns is None else f'{(time_ns - self._zero_ns) / 1e9:.1f}'
        clear = '\r\033[K' if is_live(sys.stdout) else ''
        print_on(sys.stdout, f'{clear}{when:>8s} s  {topic:12s} {one_line(text)}')

    def _on_decision(self, message: Any) -> None:
        # The stamp is the end of a chunk, seq counts those before it.
        self._note_chunk('decisions', message, message.seq + 1)
        self._nearest[message.lane] = max(message.p_respond, self._nearest.get(message.lane, 0.0))

    def _on_scores(self, message: Any) -> None:
        self._note_chunk('scores', message, message.seq)

    def _note_chunk(self, topic: str, message: Any, chunks_before: int) -> None:
        """Find where the audio began, from the first chunk on, and again as chunks are known."""
        stamp, pace = stamp_ns(message.header.stamp), self._paces[topic]
        changed = pace.note(message.epoch, message.seq, stamp)
        if self._zero_ns is None or changed:
            self._zero_ns = stamp - chunks_before * pace.size.ns

    def _on_sound(self, message: Any) -> None:
        if message.state == SoundEvent.STARTED:
            self._print(stamp_ns(message.onset), 'sound',
                        describe_sound(message.sound, message.score, message.threshold))

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            self._thresholds.update(_read_thresholds(values))
            for task, key in (*_LOST_SAMPLES, *_LOST_CHUNKS):
                if task == status.name and key in values:
                    self._lost[task, key] = int(values[key])
            loads = values.get('loaded') == 'False' or values.get('second_pass_loading') == 'True'
            if loads and status.level != DiagnosticStatus.ERROR:
                self._loading.add(status.name)
            else:
                self._loading.discard(status.name)
        for status in message.status:
            self._print_lasting_finding(status)

    def _print_lasting_finding(self, status: Any) -> None:
        """Print a finding that has stood long enough."""
        topic, finding = status.name, re.sub(r'\d+', '', status.message)
        if status.name in self._loading:  # of both halves: one model loads, one line
            topic, finding = _MODEL, 'loading'
        elif (status.level == DiagnosticStatus.OK
              or self._loading and status.level != DiagnosticStatus.ERROR
              or self._over and status.name == _INPUT):
            self._findings.pop(topic, None)
            return
        now = time.monotonic()
        before, since, printed = self._findings.get(topic, ('', now, False))
        if finding != before:
            since, printed = now, False
        if not printed and now - since >= self._grace_s:
            mark = 'note' if status.name == _ALERTS else 'quiet?'
            print_on(sys.stderr, f'  {mark:6s}  {status.name}: {one_line(status.message)}')
            printed = True
        self._findings[topic] = (finding, since, printed)

    def _on_transcript(self, message: Any) -> None:
        if message.source == 'partial' and not message.is_final and is_live(sys.stdout):
            # In place, for what comes next is written over it.
            print_on(sys.stdout, draw_in_place('            transcript   ', f'{message.text} …'),
                     end='')
        if message.is_final and message.text:  # without text nobody spoke
            language = f' [{message.language}]' if message.language else ''
            self._print(stamp_ns(message.end), 'transcript', message.text + language)

    def _on_translation(self, message: Any) -> None:
        if message.is_final and message.text:
            source = f'  ← {message.source_text}' if message.source_text else ''
            self._print(stamp_ns(message.end), 'translation', message.text + source)

    def _on_reply(self, message: Any) -> None:
        if message.is_final:
            tone = Emotion(message.emotion)
            mark = '' if tone is Emotion.NORMAL else f' ({tone.name.lower()})'
            slots = dict(zip(message.slot_names, message.slot_values, strict=False))
            intent = describe_intent(message.intent, message.intent_confidence, slots)
            self._print(stamp_ns(message.header.stamp), 'reply', ' '.join(
                part for part in (message.text + mark, intent) if part))

    def _on_alert(self, message: Any) -> None:
        state, severity = AlertState(message.state), Severity(message.severity)
        self._print(stamp_ns(message.last_seen), 'alert',
                    f'{severity.name} {message.label} {state.name.lower()} x{message.count}: '
                    f'{message.message}')


def _read_thresholds(values: Mapping[str, str]) -> dict[str, float]:
    """Return the threshold of each lane that diagnostics name."""
    return {key.removesuffix('.threshold'): float(value) for key, value in values.items()
            if key.endswith('.threshold')}
