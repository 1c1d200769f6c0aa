"""
Drafts: finished replies that somebody shall read again before they are final.

Owns their topics, which drafts wait, and what becomes of those that nobody answers. What is
published of one, and under which name, says the reply board.
"""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_msgs.msg import Transcript, Translation
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.io.stamps import time_message
from audio_interaction_ros.nodes.io.text_messages import recognised_of
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.events import FinalTranslation, ReplyFinished
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['Draft', 'DraftBoard']

_PATIENCE_S = 30.0
"""A draft that is not answered for so long becomes final as it is: nobody listens any more."""
_TYPES = {'transcript': Transcript, 'translation': Translation}


@dataclass
class Draft:
    """A finished reply that waits for its last words."""

    kind: str
    message: Any
    reply: ReplyFinished
    heard: ChunkOrigin
    shown: Any
    """The newest revision of it that was published, which must come to an end; None: none was."""
    until: float = math.inf
    """Steady second up to which somebody may still read it; infinite when that was done."""


class DraftBoard:
    """
    Drafts of some kinds (transcript, translation) go to ``KIND/draft`` and come on ``KIND/read``.

    They go there as long as somebody listens. A transcript is final when it comes back; a
    translation goes to ``translate`` (reply, what was said), which a FinalTranslation must answer;
    where that returns False nobody will, and the streamed text is final. So it is where nobody
    listens any more, or no answer came for half a minute.
    """

    def __init__(self, *, node: ManagedNode, kinds: Collection[str], group: CallbackGroup,
                 translate: Callable[[ReplyFinished, RecognisedSpeech], bool],
                 finish: Callable[[Draft, Any], object],
                 miss: Callable[[str], object]) -> None:
        """
        Create the topics; ``finish`` publishes what became of a draft.

        ``miss`` is told the kind of a draft that nobody could read.
        """
        self._translate, self._finish_one, self._miss = translate, finish, miss
        self._topics = {kind: node.managed_publisher(_TYPES[kind], f'{kind}/draft', qos.EVENTS)
                        for kind in kinds}
        self._awaited: dict[str, Draft] = {}
        self._unread, self._unread_why, self._unread_at = 0, '', -math.inf
        for kind in kinds:
            node.managed_subscription(_TYPES[kind], f'{kind}/read', self._on_read, qos.EVENTS,
                                      callback_group=group)
        if kinds:
            node.managed_timer(_PATIENCE_S / 30, self._finish_unread, callback_group=group)

    @property
    def waiting(self) -> int:
        """How many drafts wait."""
        return len(self._awaited)

    def has_reader(self, kind: str) -> bool:
        """Tell whether somebody reads drafts of a kind."""
        return kind in self._topics and self._topics[kind].get_subscription_count() > 0

    def put(self, draft: Draft) -> None:
        """Have a draft read; its message says whose it is."""
        draft.until = time.monotonic() + _PATIENCE_S
        self._awaited[draft.reply.reply_id] = draft
        self._topics[draft.kind].publish(draft.message)

    def report(self, report: StatusReport) -> None:
        """Say how many drafts nobody read, and for a while why."""
        report.values['unread'] = self._unread
        if time.monotonic() - self._unread_at < 10.0:
            report.add(WARN, f'final as it was streamed, for nobody read it again: '
                             f'{self._unread_why}')

    def give_up(self) -> None:
        """Let every draft that waits become final as it is."""
        for draft in list(self._awaited.values()):
            self._finish(draft, draft.message)

    def take_translation(self, event: FinalTranslation) -> None:
        """Finish the draft that was translated, unless it became final before."""
        draft = self._awaited.get(event.reply_id)
        if draft is None:
            return
        message = draft.message
        message.text, message.language = event.text, event.language
        message.source_text, message.source_language = event.source_text, event.source_language
        message.source, message.word_confidence = event.source, event.confidence
        message.header.stamp = message.start = time_message(event.start_ns)
        message.end = time_message(event.end_ns)
        self._finish(draft, message)

    def _on_read(self, message: Any) -> None:
        draft = self._awaited.get(message.utterance_id)
        if draft is None:  # it is final already
            return
        if draft.kind == 'translation':
            self._settle(draft, recognised_of(message))
            return
        if message.source == 'streamed':
            self._miss(draft.kind)  # who reads could not
        self._finish(draft, message)

    def _finish_unread(self) -> None:
        """Let drafts become final that nobody will read."""
        now = time.monotonic()
        for draft in [awaited for awaited in self._awaited.values() if awaited.until < math.inf]:
            gone = not self.has_reader(draft.kind)
            if gone or draft.until < now:
                self._unread += 1
                self._unread_at = now
                self._unread_why = (f'no encoder listens on {draft.kind}/draft' if gone else
                                    f'no answer on {draft.kind}/read in {_PATIENCE_S:g} s')
                self._miss(draft.kind)
                self._settle(draft, RecognisedSpeech())

    def _settle(self, draft: Draft, said: RecognisedSpeech) -> None:
        draft.until = math.inf
        if draft.kind == 'transcript' or not self._translate(draft.reply, said):
            self._finish(draft, draft.message)

    def _finish(self, draft: Draft, message: Any) -> None:
        del self._awaited[draft.reply.reply_id]
        self._finish_one(draft, message)
