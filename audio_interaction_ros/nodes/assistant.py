"""
assistant: source, encoder and decoder in one process and one executor.

Owns the command line and the end of a recording. The nodes are the same as in processes of
their own; they share one loaded model.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.utilities import remove_ros_args

from audio_interaction_ros.nodes.audio_file_node import AudioFileNode
from audio_interaction_ros.nodes.decoder_node import DecoderNode
from audio_interaction_ros.nodes.encoder_node import EncoderNode
from audio_interaction_ros.nodes.microphone_node import MicrophoneNode
from audio_interaction_ros.nodes.printer import PrinterNode
from audio_interaction_ros.nodes.running import run
from audio_interaction_ros.nodes.runtime_source import RuntimeSource, SharedRuntime

__all__ = ['Assistant', 'main', 'parse']

_SETTLED_S = 1.0
_GIVE_UP_S = 120.0


class Assistant:
    """The nodes of one process, and whether they have finished with a recording."""

    def __init__(self, options: argparse.Namespace, *,
                 runtime: RuntimeSource | None = None) -> None:
        """Make no node yet: that needs rclpy to be up."""
        self._options = options
        self._runtime = runtime or SharedRuntime()
        self._file: AudioFileNode | None = None
        self._idle_since: float | None = None
        self._ended_at: float | None = None
        self.exit_code = 0

    def nodes(self) -> list[Node]:
        """Create the nodes; the namespace comes with the ROS arguments."""
        options = self._options
        self._encoder = EncoderNode(runtime=self._runtime)
        # what a recording raises is no alarm of today, so the next start must not find it
        played: dict[str, Any] = {} if options.source != 'file' else {
            'parameter_overrides': [Parameter('alerts.journal_s', value=0.0)]}
        self._decoder = DecoderNode(runtime=self._runtime, **played)
        made: list[Node] = [self._encoder, self._decoder]
        if options.print:
            made.append(PrinterNode())
        if options.source == 'mic':
            made.append(MicrophoneNode())
        elif options.source == 'file':
            self._file = AudioFileNode(parameter_overrides=[
                Parameter('path', value=options.file), Parameter('pace', value=options.pace)])
            made.append(self._file)
        return made

    def done(self) -> bool:
        """Return whether to exit: the recording is over and everything heard is worked off."""
        now = time.monotonic()
        failure = self._encoder.failure or self._decoder.failure
        if not self._options.exit_at_end or self._file is None:
            return False
        if failure or self._file.failure:
            self.exit_code = 1
            return True
        if not self._file.finished:
            return False
        self._ended_at = self._ended_at or now
        busy = [node.get_name() for node in (self._encoder, self._decoder) if not node.idle]
        if busy:
            self._idle_since = None
            if now - self._ended_at > _GIVE_UP_S:
                self._encoder.get_logger().warning(
                    f'{" and ".join(busy)} still busy {_GIVE_UP_S:.0f} s after the end of the '
                    f'recording; what is missing now will not come')
                return True
            return False
        self._idle_since = self._idle_since or now
        return now - self._idle_since > _SETTLED_S


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; exits with a message for bad ones."""
    parser = argparse.ArgumentParser(
        prog='assistant', description='Listen, transcribe, reply and warn, in one process.',
        epilog='ROS arguments pass through: --ros-args -r __ns:=/robot1 --params-file FILE')
    parser.add_argument('--source', choices=('mic', 'file', 'none'), default='none',
                        help='where the audio comes from; none: the topic audio')
    parser.add_argument('--file', default='', help='recording or rosbag2 for --source file')
    parser.add_argument('--pace', choices=('realtime', 'consumed'), default='realtime',
                        help='how fast a recording is played')
    parser.add_argument('--exit-at-end', action='store_true',
                        help='exit when the recording is worked off')
    parser.add_argument('--print', action='store_true', help='print finals and alerts')
    options = parser.parse_args(arguments)
    if options.source == 'file' and not options.file:
        parser.error('--source file needs --file PATH')
    return options


def main(args: list[str] | None = None, *, runtime: RuntimeSource | None = None) -> int:
    """Run the assistant; ``runtime`` stands in for the model in tests."""
    arguments = sys.argv if args is None else ['assistant', *args]
    assistant = Assistant(parse(remove_ros_args(arguments)[1:]), runtime=runtime)
    return run(assistant.nodes, arguments, done=assistant.done, code=lambda: assistant.exit_code)


if __name__ == '__main__':
    raise SystemExit(main())
