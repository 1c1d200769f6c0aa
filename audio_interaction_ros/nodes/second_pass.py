"""
Final transcripts read again where the audio is: in the encoder's process.

Takes drafts from ``transcript/draft``, cuts their audio out of the history, and publishes the
final on ``transcript``. A draft whose audio is gone, or that fails, becomes final as it is.
Audio stays in memory.
"""

import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from audio_interaction_msgs.msg import Transcript
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import String

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import TranscriptConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.nodes import qos
from audio_interaction_ros.nodes.convert import stamp_ns
from audio_interaction_ros.nodes.managed import ManagedNode
from audio_interaction_ros.nodes.worker import Worker, WorkerFailure
from audio_interaction_ros.stream.history import AudioHistory

__all__ = ['SecondPassLink', 'Transcriber', 'load_transcriber']

_BACKLOG = 8  # drafts; past that they become final as they are


class Transcriber(Protocol):
    """What the second pass needs of a model."""

    def transcribe(self, samples: np.ndarray) -> tuple[str, str]:
        """Return text and BCP-47 language of samples [n] float32 at 16 kHz."""
        ...


def load_transcriber(settings: TranscriptConfig) -> Transcriber:
    """Load the second pass that is configured; slow, for a worker thread."""
    if settings.second_pass != 'whisper':
        raise ConfigurationError(
            f'transcript.second_pass: expected whisper, found {settings.second_pass!r}; change '
            f'it in the configuration')
    from audio_interaction_ros.runtimes.second_pass import WhisperSecondPass
    transcriber: Transcriber = WhisperSecondPass()
    return transcriber


class SecondPassLink:
    """The second pass of one encoder node."""

    def __init__(self, *, node: ManagedNode, settings: TranscriptConfig,
                 load: Callable[[TranscriptConfig], Transcriber] = load_transcriber) -> None:
        """Create topics and thread; the model loads in the thread."""
        self._node, self._settings, self._load = node, settings, load
        self._history = AudioHistory(seconds=settings.buffer_s)
        self._lock = threading.Lock()
        self._transcriber: Transcriber | None = None
        self.failure = ''
        self.done = 0
        group = MutuallyExclusiveCallbackGroup()
        self._final = node.managed_publisher(Transcript, 'transcript', qos.EVENTS)
        self._text = node.managed_publisher(String, 'transcript/text', qos.FINAL_TEXT)
        node.managed_subscription(Transcript, 'transcript/draft', self._on_draft, qos.EVENTS,
                                  callback_group=group)
        self._worker = Worker(node=node, group=group, setup=self._set_up, compute=self._compute,
                              publish=self._publish, capacity=_BACKLOG, name='second_pass')
        self._worker.start()

    @property
    def idle(self) -> bool:
        """True when no draft waits."""
        return self._worker.idle

    def hear(self, chunk: AudioChunk) -> None:
        """Remember a chunk; from any thread."""
        with self._lock:
            self._history.push(chunk)

    def forget(self) -> None:
        """Drop all audio."""
        with self._lock:
            self._history.clear()

    def close(self) -> None:
        """Stop the thread and drop all audio. Idempotent."""
        self._worker.close()
        self.forget()

    def _on_draft(self, draft: Any) -> None:
        if self.failure or not self._worker.put(draft):
            self._publish(draft)

    def _set_up(self) -> None:
        self._transcriber = self._load(self._settings)

    def _compute(self, drafts: list[Any]) -> bool:
        for draft in drafts:
            with self._lock:
                samples = self._history.between(stamp_ns(draft.start), stamp_ns(draft.end))
            if len(samples):
                self._read_again(draft, samples)
            self._worker.emit(draft)
        return False

    def _read_again(self, draft: Any, samples: np.ndarray) -> None:
        assert self._transcriber is not None, 'setup comes before compute'
        try:
            text, draft.language = self._transcriber.transcribe(samples)
        except Exception as error:  # noqa: BLE001 - the streamed text is still there
            self._node.get_logger().error(f'second pass failed, keeping the draft: {error!r}')
            return
        draft.text = text.strip()
        self.done += 1

    def _publish(self, output: Any) -> None:
        if isinstance(output, WorkerFailure):
            self.failure = f'second pass does not work, drafts become final: {output.error}'
            self._node.get_logger().error(self.failure)
            return
        output.is_final = True
        output.revision += 1
        output.stable_length = len(output.text)
        self._final.publish(output)
        if output.text:
            self._text.publish(String(data=output.text))
