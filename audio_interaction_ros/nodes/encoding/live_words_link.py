"""
Words while they are spoken, in the encoder's process: read where the audio is.

Owns when the second pass' thread reads speech that goes on: never while a draft waits, and at most
half of the time. What is read goes out as messages on ``transcript/partial``; a final among them
is of an utterance that silence, a pause or a button ended. The decoder node publishes them, with
one name for each utterance. ``remember``, ``hold`` and ``forget`` run in any thread, ``adopt`` and
``drop`` where that thread does not work, all else in it.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.assembly import build_live_words
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.nodes.io.text_messages import partial_message, put_final
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.runtimes.base import Transcriber
from audio_interaction_ros.stream.final_text import Draft
from audio_interaction_ros.stream.final_words import SettledDraft, settle_draft
from audio_interaction_ros.stream.live_words import LiveWords
from audio_interaction_ros.stream.pause_judge import TurnJudge
from audio_interaction_ros.stream.span_reader import SpanReader
from audio_interaction_ros.stream.spoken_word import WordsShown
from audio_interaction_ros.stream.word_steps import (
    WordsFinal,
    finish_all,
    take_back,
    take_steps,
)

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
        live = build_live_words(self._config, transcriber, judge=judge, tell=self._log,
                                run=f'{time.time_ns() // 1000:x}')
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

    def remember(self, part: AudioChunk) -> None:
        """Remember a part of a chunk; from any thread."""
        with self._lock:
            if self._live is not None:
                self._live.remember(part)

    def forget(self) -> None:
        """Drop all audio; from any thread."""
        with self._lock:
            if self._live is not None:
                self._live.forget()

    def drop(self) -> list[Transcript]:
        """Let what goes on come to nothing; return its final, where words of it were shown."""
        live = self._live
        return [] if live is None else [_final_message(take_back(span)) for span in live.drop()]

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
        """Hear what came; with ``read`` read it too, with ``finish`` end the utterance."""
        live = self._live
        if live is None:
            return
        for words in take_steps(live, self._reader, transcriber, self._note_fault,
                                read=partial(self._read, live, allowed=read)):
            emit(partial_message(words) if isinstance(words, WordsShown) else
                 _final_message(words))
        for final in finish_all(live.finish() if finish else (), self._reader, transcriber,
                                self._note_fault):
            emit(_final_message(final))

    def _read(self, live: LiveWords, *, allowed: bool) -> WordsShown | None:
        """Read, where there is time: all that came was heard, and it does not read all day."""
        began = time.monotonic()
        rested = live.pausing or began >= self._rest_until
        if self.hurried and not (allowed and rested and not live.behind):
            self.skipped += 1
            return None
        self.read += 1
        try:
            return live.read()
        finally:
            now = time.monotonic()
            self._rest_until = now + (now - began)  # so that it takes at most half of the time

    def _note_fault(self, what: str, error: Exception) -> None:
        self._log(f'{what}: {error!r}')


def _final_message(final: WordsFinal) -> Transcript:
    nan = float('nan')
    message = Transcript(
        utterance_id=final.span.utterance_id, is_final=True, ended_by=final.span.ended_by,
        confidence=nan, encode_latency_s=nan, decode_latency_s=nan, bearing=nan)
    put_final(message, final.text)
    message.stable_length = len(message.text)
    return message
