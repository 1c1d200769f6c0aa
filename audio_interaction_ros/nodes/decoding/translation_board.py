"""
Translations that follow the words of a decoder node: which transcripts are translated, and what
is shown of each until it is final.

Owns the topic ``translation`` where no lane translates, which of its texts go on, and what is said
of words that nobody translated. Who translates, and in which thread, is the text board's.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.nodes.decoding.english_board import EnglishBoard
from audio_interaction_ros.nodes.io.text_messages import translation_message
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.events import FinalTranslation, PartialTranslation

__all__ = ['FinalHeard', 'TranslationBoard']

_REMEMBERED = 16
"""Translations that go on, and those that ended before all of them was made."""
_LATELY_S = 10.0


@dataclass(frozen=True)
class FinalHeard:
    """A final transcript, and its English where somebody wrote it of the audio."""

    transcript: Any
    english: str = ''


class TranslationBoard:
    """What one decoder node publishes of translated words."""

    def __init__(self, *, node: ManagedNode, config: AssistantConfig, group: CallbackGroup,
                 put: Callable[[Any], str], publish: Callable[[Any], object]) -> None:
        """
        Create topics; ``publish`` takes a Translation.

        ``put`` hands a partial Transcript or a FinalHeard to who translates, and returns why it
        was not taken.
        """
        self._put, self._publish = put, publish
        self._english = EnglishBoard(node=node, group=group, settle=self._put_final
                                     ) if config.writes_english else None
        self._frame_id = ''
        self._shown: dict[str, Any] = {}
        """Newest message of each translation that is not final."""
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self.made = self.missing = 0
        """Final translations, and final words that should have one and have none."""
        self._missing_why, self._missing_at = '', -math.inf

    @property
    def waiting(self) -> int:
        """How many finals wait for their English."""
        return 0 if self._english is None else self._english.waiting

    def hear(self, transcript: Any) -> None:
        """Take a Transcript that was published, partial or final, to be translated."""
        self._frame_id = transcript.header.frame_id
        if not transcript.is_final:
            if transcript.source == 'partial':
                self._put(transcript)
        elif not self._ask_for_english(transcript):
            self._put_final(transcript)

    def _ask_for_english(self, transcript: Any) -> bool:
        """Have the English of a final written of the audio, where that is somebody's work."""
        return (self._english is not None and transcript.source == 'second_pass'
                and self._english.ask(transcript))

    def _put_final(self, transcript: Any, english: str = '') -> None:
        if not transcript.text and transcript.utterance_id not in self._shown:
            return
        why = self._put(FinalHeard(transcript, english))
        if transcript.source == 'streamed':
            why = 'nobody read them again, and what streams is not translated'
        if why:
            self.missing += 1
            self._missing_why, self._missing_at = why, time.monotonic()

    def publish(self, event: PartialTranslation | FinalTranslation) -> None:
        """Publish a translation unless that of its utterance is over by now."""
        message = translation_message(event, frame_id=self._frame_id)
        if message.utterance_id not in self._ended:
            self._publish_newest(message)

    def _publish_newest(self, message: Any) -> None:
        name = message.utterance_id
        self._shown.pop(name, None)
        if message.is_final:
            self._ended.append(name)
            self.made += bool(message.text)
        else:
            self._shown[name] = message
            while len(self._shown) > _REMEMBERED:
                del self._shown[next(iter(self._shown))]
        self._publish(message)

    def give_up(self) -> None:
        """Let every translation that goes on become final as it is: nothing more comes."""
        for message in list(self._shown.values()):
            message.is_final, message.revision = True, message.revision + 1
            message.stable_length = len(message.text)
            self._publish_newest(message)

    def report(self, report: StatusReport) -> None:
        """Say how many there were, and for a while why there was none."""
        report.values.update({'translations': self.made, 'translations.missing': self.missing})
        if time.monotonic() - self._missing_at < _LATELY_S:
            report.add(WARN, f'words are not translated: {self._missing_why}')
