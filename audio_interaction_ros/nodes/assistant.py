"""
assistant: source, encoder and decoder with one command.

Owns the command line and the end of a recording. All in one process, with one loaded model, or
with ``--processes`` encoder and decoder each in one of its own; the nodes are the same.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.utilities import remove_ros_args

from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.monitor.load import load_server
from audio_interaction_ros.nodes.audio_file_node import AudioFileNode
from audio_interaction_ros.nodes.halves import (
    Halves,
    MonitorProcess,
    OwnProcesses,
    SameProcess,
    ros_arguments,
)
from audio_interaction_ros.nodes.lifecycle.runtime_source import RuntimeSource, SharedRuntime
from audio_interaction_ros.nodes.lifecycle.spinning import find_wrong_arguments, run
from audio_interaction_ros.nodes.microphone_node import MicrophoneNode, sound_library
from audio_interaction_ros.nodes.printer import PrinterNode
from audio_interaction_ros.nodes.speech_node import SpeechNode
from audio_interaction_ros.terminal import print_on

__all__ = ['AssistantProcess', 'main', 'parse_options']

_SETTLED_S = 1.0
_GIVE_UP_S = 120.0


class AssistantProcess:
    """What is spun in this process, and whether all have finished with a recording."""

    def __init__(self, options: argparse.Namespace, halves: Halves) -> None:
        """Make no node yet: that needs rclpy to be up."""
        self._options, self._halves = options, halves
        self._file: AudioFileNode | None = None
        self._printer: PrinterNode | None = None
        self._idle_since: float | None = None
        self._ended_at: float | None = None
        self.exit_code = 0

    def make_nodes(self) -> list[Node]:
        """Create the nodes; the namespace comes with the ROS arguments."""
        options = self._options
        made = self._halves.make_nodes()
        if options.print:
            self._printer = PrinterNode()
            made.append(self._printer)
        if options.speech:
            made.append(SpeechNode())
        if options.source == 'mic':
            made.append(MicrophoneNode())
        elif options.source == 'file':
            self._file = AudioFileNode(parameter_overrides=[
                Parameter('path', value=options.file), Parameter('pace', value=options.pace),
                *([Parameter('raw', value=options.raw)] if options.raw else [])])
            self._file.held = True
            made.append(self._file)
        return made

    def is_done(self) -> bool:
        """Return whether to exit: the recording is over and everything heard is worked off."""
        file, failure = self._file, self._halves.failure
        if file is not None and file.held:  # what reads again may still be loaded
            file.held = bool(self._halves.list_busy())
        if self._halves.ended:
            print_on(sys.stderr, self._halves.ended)
            self.exit_code = 1
            return True
        if not self._options.exit_at_end or file is None:
            return False
        if failure or file.failure:
            self.exit_code = 1
            return True
        return file.finished and self._is_worked_off(file)

    def _is_worked_off(self, file: AudioFileNode) -> bool:
        """Return whether nothing is still to come of a recording that is over."""
        self._ended_at = self._ended_at or time.monotonic()
        if self._printer is not None:
            self._printer.note_recording_over()
        busy = self._halves.list_busy()
        return self._is_given_up(file, busy) if busy else self._has_settled(file)

    def _is_given_up(self, file: AudioFileNode, busy: list[str]) -> bool:
        """Return whether those that are busy have got nowhere for too long, and say so."""
        self._idle_since = None
        # A slow machine that gets on is waited for; its reader wants to see what was heard.
        late = time.monotonic() - max(self._ended_at or 0.0, file.consumed_at) > _GIVE_UP_S
        if late:
            file.get_logger().warning(
                f'{" and ".join(busy)} still busy, and nothing was worked off for '
                f'{_GIVE_UP_S:.0f} s; what is missing now will not come')
            self.exit_code = 1
            if self._printer is not None:
                self._printer.tell_losses(file.recorded_s)
        return late

    def _has_settled(self, file: AudioFileNode) -> bool:
        """Return whether nobody has had anything to do for a while; conclude then."""
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        settled = now - self._idle_since > _SETTLED_S
        if settled and self._printer is not None:
            self._printer.conclude(file.recorded_s)
        return settled


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; exits with a message for bad ones."""
    parser = argparse.ArgumentParser(
        prog='assistant', description='Listen, transcribe, reply and warn.',
        epilog='ROS arguments pass through: --ros-args -r __ns:=/robot1 --params-file FILE')
    parser.add_argument('--source', choices=('mic', 'file', 'none'), default='none',
                        help='where the audio comes from; none: the topic audio')
    parser.add_argument('--file', default='', help='recording or rosbag2 for --source file')
    parser.add_argument('--raw', default='', metavar='FORMAT',
                        help='format of a recording without a header, such as s16le:16000:1')
    parser.add_argument('--pace', choices=('realtime', 'consumed'), default='realtime',
                        help='how fast a recording is played')
    parser.add_argument('--exit-at-end', action='store_true',
                        help='exit when the recording is worked off')
    parser.add_argument('--processes', action='store_true',
                        help='encoder and decoder each in a process of its own')
    parser.add_argument('--speech', action='store_true',
                        help='say replies and alerts aloud (docs/voice.md)')
    parser.add_argument('--print', action='store_true', help='print finals and alerts')
    parser.add_argument('--monitor', action='store_true',
                        help='serve a page that shows what is heard, on this machine')
    options = parser.parse_args(arguments)
    if options.source == 'file' and not options.file:
        parser.error('--source file needs --file PATH')
    return options


def find_missing(options: argparse.Namespace) -> str:
    """Return which library is missing for what was asked, and how to get it; empty: none is."""
    try:
        if options.source == 'mic':
            sound_library()
        if options.monitor:
            load_server()
    except MissingDependencyError as error:
        return str(error)
    return ''


def main(args: list[str] | None = None, *, runtime: RuntimeSource | None = None) -> int:
    """Run the assistant; ``runtime`` stands in for the model in tests."""
    arguments = sys.argv if args is None else ['assistant', *args]
    said = find_wrong_arguments(arguments)
    if said:  # each node would say it, and only then that it cannot work
        print(said, file=sys.stderr)
        return 2
    options = parse_options(remove_ros_args(arguments)[1:])
    missing = find_missing(options)
    if missing:  # named before a model is loaded
        print(f'error: {missing}', file=sys.stderr, flush=True)
        return 1
    # what a recording raises is no alarm of today, so the next start must not find it
    changes = {'alerts.journal_s': 0.0} if options.source == 'file' else {}
    halves: Halves = (OwnProcesses(ros_arguments(arguments), changes) if options.processes
                      else SameProcess(runtime or SharedRuntime(), changes))
    monitor = MonitorProcess(ros_arguments(arguments)) if options.monitor else None
    assistant = AssistantProcess(options, halves)
    try:
        return run(assistant.make_nodes, arguments, done=assistant.is_done,
                   code=lambda: assistant.exit_code)
    finally:
        halves.close()
        if monitor is not None:
            monitor.close()


if __name__ == '__main__':
    raise SystemExit(main())
