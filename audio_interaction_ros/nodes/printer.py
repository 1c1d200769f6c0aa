"""
Prints what the assistant says, one line per final, and why it is quiet; for looking on.

A finding of the diagnostics is printed when two reports in a row have it, once until it changes.
"""

import re
import sys
from typing import Any

from audio_interaction_msgs.msg import Alert, Reply, Transcript, Translation
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node

from audio_interaction_ros.alerts.alert import AlertState, Severity
from audio_interaction_ros.nodes import qos
from audio_interaction_ros.nodes.convert import stamp_ns
from audio_interaction_ros.protocol import Emotion

__all__ = ['PrinterNode']


class PrinterNode(Node):
    """Listens to the topics of the assistant and prints finals and alerts."""

    def __init__(self, **options: Any) -> None:
        """Subscribe; times are printed relative to the first thing seen."""
        super().__init__('printer', **options)
        self._zero_ns: int | None = None
        self._findings: dict[str, tuple[str, bool]] = {}
        self.create_subscription(DiagnosticArray, 'diagnostics', self._on_diagnostics,
                                 qos.DIAGNOSTICS)
        self.create_subscription(Transcript, 'transcript', self._on_transcript, qos.EVENTS)
        self.create_subscription(Translation, 'translation', self._on_translation, qos.EVENTS)
        self.create_subscription(Reply, 'reply', self._on_reply, qos.EVENTS)
        self.create_subscription(Alert, 'alerts', self._on_alert, qos.EVENTS)

    def begin_at(self, zero_ns: int) -> None:
        """Print times relative to this stamp."""
        self._zero_ns = zero_ns

    def _print(self, time_ns: int, topic: str, text: str) -> None:
        if self._zero_ns is None:
            self._zero_ns = time_ns
        print(f'{(time_ns - self._zero_ns) / 1e9:8.1f} s  {topic:12s} {text}', flush=True)

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            bad = status.level != DiagnosticStatus.OK
            finding = re.sub(r'\d+', '', status.message) if bad else ''
            before, printed = self._findings.get(status.name, ('', False))
            if bad and finding == before and not printed:
                print(f'  quiet?  {status.name}: {status.message}', file=sys.stderr, flush=True)
                printed = True
            self._findings[status.name] = (finding, printed and finding == before)

    def _on_transcript(self, message: Any) -> None:
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
            self._print(stamp_ns(message.header.stamp), 'reply', message.text + mark)

    def _on_alert(self, message: Any) -> None:
        state, severity = AlertState(message.state), Severity(message.severity)
        self._print(stamp_ns(message.last_seen), 'alert',
                    f'{severity.name} {message.label} {state.name.lower()} x{message.count}: '
                    f'{message.message}')
