"""
Finished utterances read again where the audio is: in the encoder's process.

Takes drafts from ``transcript/draft`` and ``translation/draft`` and cuts their audio out of the
history. They go back to the decoder, which waits for them, on
``transcript/read`` and ``translation/read``: a transcript to be published, a translation with what
was said, to be translated there, or with the English of it (``language`` en), to be published. A
draft whose audio is gone, or that fails, goes back as it is; what becomes of the others decides
``stream.final_text``. Between drafts, speech that goes on is read (``live_words_link``). Audio
stays in memory.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from audio_interaction_msgs.msg import Transcript, Translation
from audio_interaction_ros.assembly import build_reader, spoken_language
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.audio.overhearing import EchoFrame
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.nodes.encoding.live_words_link import LiveWordsLink
from audio_interaction_ros.nodes.encoding.overheard import Overheard
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.io.text_messages import put_final, put_recognised
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.retried_worker import RetriedWorker
from audio_interaction_ros.nodes.lifecycle.worker import Emit
from audio_interaction_ros.runtimes.base import Transcriber
from audio_interaction_ros.stream.final_text import Draft, read_for_translation
from audio_interaction_ros.stream.final_words import SettledDraft, read_settled
from audio_interaction_ros.stream.pause_judge import TurnJudge

__all__ = ['SecondPassLink']

_BACKLOG = 8  # drafts; past that they go on as they are
_HEARD = object()
"""Item of the worker: audio came."""
_OVER = object()
"""Item of the worker: the stream ended, and no answer to its last words comes any more."""
_WAIT_FOR_DRAFT_S = 2.0
"""So long after the end of a stream an answer to its last words may still come."""


class _Models(NamedTuple):
    transcriber: Transcriber
    judge: TurnJudge | None
    judge_missing: str
    """Why there is no judge where one is wanted; or empty."""


class SecondPassLink:
    """The second passes of one encoder node; one model serves both."""

    def __init__(self, *, node: ManagedNode, config: AssistantConfig,
                 load: Callable[[str], Transcriber],
                 load_judge: Callable[[], TurnJudge] | None = None) -> None:
        """
        Create topics and thread, which stands back; the models load in it.

        ``load_judge`` loads what hears whether a voice is through; None: silence alone tells.
        """
        self._node, self._load, self._name = node, load, config.transcript.reader
        self._load_judge = load_judge
        self._reader = build_reader(config, translates='translation' in config.second_passes)
        words = 'transcript' in config.second_passes and config.transcript.partial_ms > 0
        self._words = LiveWordsLink(config=config, reader=self._reader,
                                    log=node.get_logger().error) if words else None
        self._overheard = Overheard(node=node, language=spoken_language(config)
                                    ) if words and config.audio.echo != 'none' else None
        self._told = False  # an item of the worker waits that says that audio came
        self._takes_time = False
        self._began, self._loaded = time.monotonic(), False
        self._finish_at: float | None = None
        self.frame_id = ''
        self.done = self.kept = 0
        """Drafts that were read again, and that went on as they were."""
        self._group = MutuallyExclusiveCallbackGroup()
        kinds = {'transcript': Transcript, 'translation': Translation}
        self._answers: dict[type, Any] = {}
        # What was heard before a node was deactivated becomes final all the same.
        for name in config.second_passes:
            self._answers[kinds[name]] = node.managed_publisher(
                kinds[name], f'{name}/read', qos.EVENTS, always=True)
            node.managed_subscription(kinds[name], f'{name}/draft', self._on_draft, qos.EVENTS,
                                      callback_group=self._group, always=True)
        if self._words is not None:
            self._partials = node.managed_publisher(Transcript, 'transcript/partial', qos.EVENTS,
                                                    always=True)
        self._worker = RetriedWorker(
            node=node, group=self._group, load=self._load_models, compute=self._compute,
            publish=self._publish, adopt=self._adopt_models, capacity=_BACKLOG,
            name='second_pass', loss='second pass does not work, drafts become final')
        node.managed_timer(1.0, self._look_after, always=True, callback_group=self._group)

    @property
    def idle(self) -> bool:
        """True when no draft waits."""
        return self._worker.idle and self._finish_at is None

    @property
    def failure(self) -> str:
        """Why drafts go on as they are; empty while they are read, or while the model loads."""
        return self._worker.failure

    @property
    def words(self) -> LiveWordsLink | None:
        """What reads speech that goes on; None where that is turned off."""
        return self._words

    @property
    def reused(self) -> int:
        """How many drafts needed no reading, because another of the same span had it."""
        return self._reader.reused

    def remember(self, part: AudioChunk, *, own_voice: bool = False) -> None:
        """Remember a part of a chunk; no words are shown of the robot's own voice."""
        self._reader.remember(part)
        if self._words is not None and self._words.working and not own_voice:
            self._words.remember(part)
            self._finish_at = None
            self._wake()

    def overhear(self, frame: EchoFrame) -> None:
        """Take audio of which the robot's voice was taken out; from the encoder's thread."""
        if self._overheard is not None and self._overheard.take(frame):
            self._wake()

    def hold(self, held: bool) -> None:
        """Take it that a button is held, so that all is one utterance, or was let go."""
        if self._words is not None:
            self._words.hold(held)

    def finish(self) -> None:
        """Take it that the stream ended: words without an answer are soon final as they are."""
        if self._words is not None and self._words.working:
            self._finish_at = time.monotonic() + _WAIT_FOR_DRAFT_S

    def _wake(self) -> None:
        if not self._told:
            self._told = True  # first, for the worker may take it at once
            if not self._worker.put(_HEARD, always=True):
                self._told = False

    def take_time(self) -> None:
        """Read all that is due, and take a stream to be over when ``end`` says so: a replay."""
        self._takes_time = True
        if self._words is not None:
            self._words.hurried = False

    def end(self) -> bool:
        """Make final what a stream that ended has left; False where none has ended."""
        ended = self._finish_at is not None
        if ended:
            self._worker.put(_OVER, always=True)
        return ended

    def report(self, report: StatusReport) -> None:
        """Add what diagnostics say of the readings."""
        report.values.update(second_pass_done=self.done, second_pass_reused=self.reused,
                             second_pass_kept=self.kept, second_pass_loading=self._is_loading)
        if self._words is not None:
            self._words.report(report)
        if self._overheard is not None:
            report.values['overheard_read'] = self._overheard.read
        if self._is_loading:
            loading_s = time.monotonic() - self._began
            report.add(WARN, f'loading what reads words for {loading_s:.0f} s so far')
        if self.failure:
            report.add(WARN, self.failure)

    @property
    def _is_loading(self) -> bool:
        return not self._loaded and not self.failure

    def forget(self) -> None:
        """Drop all audio; what was shown of an utterance that goes on is taken back."""
        self._reader.forget()
        if self._words is not None:
            self._words.forget()
            self._wake()
        if self._overheard is not None:
            self._overheard.forget()

    def close(self) -> None:
        """Stop the thread and drop all audio. Idempotent."""
        self._worker.close()
        self._drop_words()
        self.forget()

    def _drop_words(self) -> None:
        for message in self._words.drop() if self._words is not None else ():
            self._publish(message)

    def _look_after(self) -> None:
        self._worker.look()
        if self._overheard is not None:
            self._overheard.look()
        due = self._finish_at is not None and time.monotonic() >= self._finish_at
        if due and not self._takes_time:
            self.end()

    def _on_draft(self, draft: Any) -> None:
        if self.failure or not self._worker.put(draft):
            self.kept += 1
            self._publish(draft)

    def _load_models(self) -> _Models:
        transcriber = self._load(self._name)
        judge, missing = None, ''
        if self._words is not None and self._load_judge is not None:
            try:
                judge = self._load_judge()
            except Exception as error:  # noqa: BLE001 - silence ends utterances, only later
                missing = f'transcript.end smart: {error}; silence alone ends utterances'
                self._node.get_logger().error(missing)
        return _Models(transcriber, judge, missing)

    def _adopt_models(self, models: _Models, _seconds: float) -> None:
        self._loaded = True
        if self._words is not None:
            self._drop_words()  # of models that failed
            self._words.adopt(models.transcriber, models.judge,
                              judge_missing=models.judge_missing)

    def _compute(self, models: _Models | None, items: list[Any], emit: Emit) -> bool:
        self._told = False
        transcriber = None if models is None else models.transcriber
        drafts = [item for item in items if item not in (_HEARD, _OVER)]
        # Transcripts first: their language is free, so that a translation can share the reading.
        for draft in sorted(drafts, key=lambda draft: isinstance(draft, Translation)):
            try:
                better = transcriber is not None and self._read_again(transcriber, draft)
            except Exception as error:  # noqa: BLE001 - the streamed text is still there
                self._node.get_logger().error(f'second pass failed, keeping the draft: {error!r}')
                better = False
            self.done += better
            self.kept += not better
            emit(draft)
        if self._words is not None and transcriber is not None:
            over = _OVER in items and self._finish_at is not None  # else more was heard since
            self._words.work(transcriber, emit, read=not drafts, finish=over)
            if over:
                self._finish_at = None
        if self._overheard is not None and not drafts:
            text = self._overheard.read_on(transcriber)
            if text:
                emit(text)
        return False

    def _read_again(self, transcriber: Transcriber, message: Any) -> bool:
        """Put what was said into a draft; False where nobody can tell."""
        draft = Draft(text=message.text, confidence=message.word_confidence,
                      start_ns=stamp_ns(message.start), end_ns=stamp_ns(message.end))
        if isinstance(message, Translation):
            put_recognised(message, read_for_translation(self._reader, transcriber, draft))
        else:
            settled = (self._words.settle_draft(draft) if self._words is not None else
                       SettledDraft(draft=draft))
            message.ended_by = settled.was_final or message.ended_by
            put_final(message, read_settled(settled, self._reader, transcriber))
        return bool(message.source == 'second_pass')

    def _publish(self, output: Any) -> None:
        if isinstance(output, Transcript) and output.utterance_id.endswith('-words'):
            output.header.frame_id = self.frame_id
            self._partials.publish(output)
        elif isinstance(output, str):
            assert self._overheard is not None, 'only it emits texts'
            self._overheard.publish(output)
        else:
            self._answers[type(output)].publish(output)
