"""
safety_events_node: alerts, sounds and intents as what robots already have.

Flags, events, service calls, a lock for twist_mux, a level in diagnostics, a log of events: which
of them follows from what says a file (``config/safety_events.yaml``). Owns the subscriptions; the
rules are ``safety_events.machine``'s. It needs no model and runs beside a decoder or in another
process. Fails closed: what happens when the decoder dies or nothing is heard is in the file.
"""

import sys
import time
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from audio_interaction_msgs.msg import AlertArray, Decision, Reply, SoundEvent
from audio_interaction_ros.alerts.alert import AlertState, Severity
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import (
    ERROR,
    OK,
    WARN,
    Diagnostics,
    StatusReport,
)
from audio_interaction_ros.nodes.lifecycle.live_parameters import logger_service
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer
from audio_interaction_ros.nodes.safety.outputs import Outputs
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.safety_events.doubts import list_doubts
from audio_interaction_ros.safety_events.event_log import EventLog
from audio_interaction_ros.safety_events.machine import OpenAlert, SafetyMachine
from audio_interaction_ros.safety_events.rules_file import read_safety_events

__all__ = ['SafetyEventsNode', 'main']

_STEP_S = 0.1
_PARAMETERS: dict[str, tuple[Any, str]] = {
    'rules_file': ('', 'Rules and outputs; shipped or empty: config/safety_events.yaml.'),
    'dry_run': (False, 'Publish nothing and call nobody; log what would have been. '
                       'The file may say so as well.'),
}


class SafetyEventsNode(Node):
    """Listens to the topics of one assistant and tells the robot."""

    def __init__(self, **options: Any) -> None:
        """Read the file and create everything; raises ConfigurationError for a wrong one."""
        super().__init__('safety_events_node', **{**logger_service(), **options})
        for name, (default, text) in _PARAMETERS.items():
            self.declare_parameter(name, default, ParameterDescriptor(
                description=text, read_only=True))
        said = str(self.get_parameter('rules_file').value)
        self._file = read_safety_events(shipped_path('config/safety_events.yaml')
                                        if said in ('', 'shipped') else Path(said).expanduser())
        self._dry = bool(self._file.dry_run
                         or self.get_parameter('dry_run').value)
        self._machine = SafetyMachine(self._file)
        self._log = EventLog(self._file.log)
        self._lost = ''
        self._levels: dict[str, bool] = {}
        self._happened = 0
        self._outputs = Outputs(self, self._file.outputs, dry_run=self._dry, tell=self._tell)
        self.create_subscription(AlertArray, 'alerts/active', self._on_alerts, qos.ALERTS_ACTIVE)
        self.create_subscription(SoundEvent, 'sounds', self._on_sound, qos.EVENTS)
        self.create_subscription(Reply, 'reply', self._on_reply, qos.EVENTS)
        self.create_subscription(Decision, 'decisions', self._on_decision, qos.DECISIONS)
        self.diagnostics = Diagnostics(node=self, tasks={'rules': self._make_report})
        self._tell('started', rules=sorted(self._file.rules))
        for doubt in list_doubts(self._file):
            self.get_logger().warning(f'{said or "shipped"}: {doubt} (nothing is wrong where your '
                                      'own rules have it)')
        self._step()
        steady_timer(self, _STEP_S, self._step)

    def destroy_node(self) -> None:
        """Close the log, then destroy the node."""
        self._tell('stopped')
        self._log.close()
        super().destroy_node()

    def _on_alerts(self, message: Any) -> None:
        self._machine.note_alerts([OpenAlert(
            id=alert.id, label=alert.label, severity=_known(Severity, alert.severity),
            state=_known(AlertState, alert.state)) for alert in message.alerts],
            time.monotonic())
        self._step()

    def _on_sound(self, message: Any) -> None:
        self._machine.note_sound(message.sound, message.state == SoundEvent.STARTED,
                                 time.monotonic())
        self._step()

    def _on_reply(self, message: Any) -> None:
        if message.is_final and message.intent:
            self._machine.note_intent(message.intent, message.intent_confidence,
                                      time.monotonic())
            self._step()

    def _on_decision(self, _message: Any) -> None:
        self._machine.note_heard(time.monotonic())

    def _step(self) -> None:
        """Let follow what follows now."""
        step = self._machine.step(time.monotonic())
        if step.lost != self._lost:
            self._lost = step.lost
            self._tell('lost' if step.lost else 'heard again', why=step.lost)
        self._note_levels(step.levels)
        self._outputs.set_levels(step.levels)
        for change in step.changes:
            self._tell('on' if change.on else 'off', rule=change.rule, cause=change.cause)
        for pulse in step.pulses:
            self._happened += 1
            self._outputs.happen(pulse.output)
            self._tell('happened', rule=pulse.rule, output=pulse.output, cause=pulse.cause)

    def _note_levels(self, levels: Any) -> None:
        """Write down which outputs change."""
        for name, level in levels.items():
            if self._levels.get(name) != level:
                self._tell('output', output=name, value=level)
        self._levels = dict(levels)

    def _tell(self, event: str, **fields: Any) -> None:
        """Write an event down, and tell it in the log of ROS."""
        marked = {**fields, 'dry_run': True} if self._dry else fields
        self._log.write(event, **marked)
        words = ', '.join(f'{key} {value}' for key, value in marked.items() if value != '')
        if event in ('lost', 'happened', 'on'):  # one line of code has one severity in rclpy
            self.get_logger().warning(f'{event}: {words}')
        else:
            self.get_logger().info(f'{event}: {words}')

    def _make_report(self) -> StatusReport:
        report = StatusReport(values={
            'dry_run': self._dry, 'on': ', '.join(self._machine.on), 'happened': self._happened,
            **{f'{name}.suppressed': count for name, count in self._machine.suppressed.items()},
            **{f'{name}.value': level for name, level in self._levels.items()},
            **{f'{name}.calls_failed': calls.failed
               for name, calls in self._outputs.calls.items()}})
        if self._dry:
            report.add(OK, 'dry run: nothing is published and nobody is called')
        for name, output in self._file.outputs.items():
            if output.kind == 'diagnostics' and self._levels.get(name):
                report.add(ERROR if output.level == 'ERROR' else WARN, output.message)
        if self._lost:
            report.add(WARN, f'nothing is known of what is heard: {self._lost}')
        failures = [calls.failure for calls in self._outputs.calls.values()]
        for failure in (*failures, self._log.failure):
            if failure:
                report.add(ERROR, failure)
        return report


def _known(kind: Any, value: int) -> Any:
    """Return what a number of a message means; of one that is unknown here the worst."""
    worst = {Severity: Severity.CRITICAL, AlertState: AlertState.ACTIVE}
    return kind(value) if value in list(kind) else worst[kind]


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; 2 for a file that is wrong."""
    faults: list[str] = []

    def make() -> list[Node]:
        try:
            return [SafetyEventsNode()]
        except AudioInteractionError as error:
            faults.append(str(error))
            print(f'error: {error}', file=sys.stderr, flush=True)
            return []
    return run(make, args, done=lambda: bool(faults), code=lambda: 2 if faults else 0)


if __name__ == '__main__':
    raise SystemExit(main())
