"""
Words while they are spoken, in the encoder's process: read where the audio is.

Owns when the second pass' thread reads speech that goes on: never while a draft waits, and at most
half of the time. What is read goes out as messages on ``transcript/partial``; a final among them
is of an utterance that silence, a pause or a button ended. The decoder node publishes them, with
one name for each utterance. Everything but ``remember``, ``hold`` and ``forget`` runs in that
thread.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.assembly import build_live_words
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.nodes.io.text_messages import partial_message, put_final
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.runtimes.base import Transcriber
from audio_interaction_ros.stream.final_text import Draft, nobody
from audio_interaction_ros.stream.final_words import SettledDraft, finish_span, settle_draft
from audio_interaction_ros.stream.live_words import LiveWords, OverSpan
from audio_interaction_ros.stream.pause_judge import TurnJudge
from audio_interaction_ros.stream.span_reader import SpanReader

__all__ = ['LiveWordsLink']

Emit = Callable[[Any], None]


class LiveWordsLink:
    """The words of one encoder node's stream; none where the second pass cannot read them."""

    def __init__(self, *, config: AssistantConfig, reader: SpanReader,
                 log: Callable[[str], Any]) -> None:
        """Wait for the model; ``log`` takes what an operator must see of a fault."""
        self._config, self._reader, self._log = config, reader, log
        self._lock = threading.Lock()
        self._live: LiveWords | None = None
        self._run = f'{time.time_ns() // 1_000_000:x}'
        self._held = False
        self._rest_until = 0.0
        self.hurried = True
        """Readings are left out where there is no time for them."""
        self.read = self.skipped = 0
        """Readings of speech that went on, and those for which there was no time."""
        self._judge_missing = ''

    def adopt(self, transcriber: Transcriber | None, judge: TurnJudge | None = None, *,
              judge_missing: str = '') -> None:
        """
        Take the models that were loaded; None: there is none any more.

        ``judge_missing`` says why there is no judge where one is wanted.
        """
        live = build_live_words(self._config, transcriber, judge=judge, run=self._run,
                                tell=self._log)
        self._judge_missing = judge_missing
        with self._lock:
            self._live = live
            if live is not None and self._held:
                live.hold(True)

    @property
    def working(self) -> bool:
        """True where words are shown while they are spoken."""
        return self._live is not None

    def report(self, report: StatusReport) -> None:
        """Add what diagnostics say of the words."""
        report.values.update(partials_read=self.read, partials_skipped=self.skipped)
        live = self._live
        why = self._judge_missing or (live.judge_failure if live is not None else '')
        if why:
            report.add(WARN, why)

    def remember(self, chunk: AudioChunk) -> None:
        """Remember a chunk; from any thread."""
        with self._lock:
            if self._live is not None:
                self._live.remember(chunk)

    def forget(self) -> None:
        """Drop all audio; from any thread."""
        with self._lock:
            if self._live is not None:
                self._live.forget()

    def hold(self, held: bool) -> None:
        """Take it that a button is held, so that all is one utterance, or was let go."""
        with self._lock:
            self._held = held
            if self._live is not None:
                self._live.hold(held)

    def settle_draft(self, draft: Draft) -> SettledDraft:
        """Return what becomes of a transcript, without what is final already of its words."""
        live = self._live
        if live is None:
            return SettledDraft(draft=draft)
        return settle_draft(live, draft)

    def work(self, transcriber: Transcriber, emit: Emit, *, read: bool, finish: bool) -> None:
        """
        Hear what came; with ``read`` read it where it is time, with ``finish`` end the utterance.

        A reading that fails is logged, and the words come with the next one or the final.
        """
        live = self._live
        if live is None:
            return
        over = live.hear()
        if live.due:
            rested = live.pausing or time.monotonic() >= self._rest_until
            if read and rested or not self.hurried:
                self._read(live, emit)
            else:
                self.skipped += 1
        for span in [*over, *live.end(), *(live.finish() if finish else [])]:
            emit(self._make_final(transcriber, span))

    def _read(self, live: LiveWords, emit: Emit) -> None:
        began = time.monotonic()
        try:
            shown = live.read()
        except Exception as error:  # noqa: BLE001 - the final is still to come
            self._log(f'reading speech that goes on failed: {error!r}')
            shown = None
        self.read += 1
        if shown is not None:
            emit(partial_message(shown))
        now = time.monotonic()
        self._rest_until = now + (now - began)  # so that it takes at most half of the time

    def _make_final(self, transcriber: Transcriber, span: OverSpan) -> Transcript:
        try:
            final = finish_span(span, self._reader, transcriber)
        except Exception as error:  # noqa: BLE001 - what was shown must come to an end
            self._log(f'second pass failed, an utterance has no text: {error!r}')
            final = nobody(Draft(text='', confidence=0.0, start_ns=span.start_ns,
                                 end_ns=span.end_ns))
        nan = float('nan')
        message = Transcript(utterance_id=span.utterance_id, is_final=True,
                             confidence=nan, encode_latency_s=nan, decode_latency_s=nan,
                             bearing=nan, ended_by=span.ended_by)
        put_final(message, final)
        message.stable_length = len(message.text)
        return message
