"""
Words while they are spoken, in the encoder's process: read where the audio is.

Owns when the second pass' thread reads speech that goes on: never while a draft waits, and at most
half of the time. What is read goes out as messages on ``transcript/partial``; a final among them
is of an utterance that silence ended. The decoder node publishes them, with one name for each
utterance. Everything but ``remember`` and ``forget`` runs in that thread.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.assembly import build_live_words
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.nodes.io.messages import partial_message, put_final
from audio_interaction_ros.runtimes.base import Transcriber
from audio_interaction_ros.stream.final_text import Draft, FinalText, nobody, read_again
from audio_interaction_ros.stream.live_words import LiveWords, OverSpan
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
        self._rest_until = 0.0
        self.read = self.skipped = 0
        """Readings of speech that went on, and those for which there was no time."""

    def adopt(self, transcriber: Transcriber | None) -> None:
        """Take the model that was loaded; None: there is none any more."""
        live = build_live_words(self._config, transcriber)
        with self._lock:
            self._live = live

    @property
    def working(self) -> bool:
        """True where words are shown while they are spoken."""
        return self._live is not None

    @property
    def resting(self) -> bool:
        """True while nothing is read, so that it takes at most half of the time."""
        return time.monotonic() < self._rest_until

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

    def read_draft(self, transcriber: Transcriber, draft: Draft) -> FinalText:
        """Return what becomes of a transcript, without what is final already of its words."""
        live = self._live
        if live is None:
            return read_again(self._reader, transcriber, draft)
        rest = live.rest_of(draft.start_ns, draft.end_ns)
        live.settle(draft.end_ns)
        if rest is None:
            return nobody(draft)
        return read_again(self._reader, transcriber, Draft(
            text=draft.text, confidence=draft.confidence, start_ns=rest[0], end_ns=rest[1]))

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
            if read and time.monotonic() >= self._rest_until:
                self._read(live, emit)
            else:
                self.skipped += 1
        for span in [*over, *(live.finish() if finish else [])]:
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
            emit(partial_message(shown, utterance_id=self._name(shown.utterance)))
        now = time.monotonic()
        self._rest_until = now + (now - began)

    def _make_final(self, transcriber: Transcriber, span: OverSpan) -> Transcript:
        draft = Draft(text='', confidence=0.0, start_ns=span.start_ns, end_ns=span.end_ns)
        try:
            final = read_again(self._reader, transcriber, draft)
        except Exception as error:  # noqa: BLE001 - what was shown must come to an end
            self._log(f'second pass failed, an utterance has no text: {error!r}')
            final = nobody(draft)
        nan = float('nan')
        message = Transcript(utterance_id=self._name(span.utterance), is_final=True,
                             confidence=nan, encode_latency_s=nan, decode_latency_s=nan,
                             bearing=nan, ended_by='silence')
        put_final(message, final)
        message.stable_length = len(message.text)
        return message

    def _name(self, utterance: int) -> str:
        return f'{self._run}-{utterance}-words'
