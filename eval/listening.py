"""
Play samples through the assistant and keep what it made of them, on disk.

Owns the record of one hearing and its cache: a hearing is found again when model, lanes, second
pass and samples are the same, so a command that was killed goes on where it stopped and a sweep
over thresholds needs no new pass. The stream goes through the pipeline, session and alert policy
that serve the robot (offline.Assistant), block by block of 0.4 s, each worked off before the next.

A lane whose name ends in ``_trace`` never replies (threshold 1): its p_respond is what the lane
would see before its first reply at any threshold, and what it would have said is asked aside
(eval.reply_probe); it must be the only lane. Many streams are heard at once where the caller gives
a Crew (eval.worker_pool); what they decide is the same but for rounding, only computing times mean
nothing then and are not kept. With a second pass of translations each process of a crew hears one
stream at a time, and makes that second pass itself. Knows no metric.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.alert import AlertChange
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import (
    AssistantConfig,
    AudioConfig,
    LaneConfig,
    LaneDefaults,
    ModelConfig,
    TranslationConfig,
    resolve_lanes,
)
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import CHUNK_S, CHUNK_SAMPLES, SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import Runtime, Transcriber
from audio_interaction_ros.stream.events import (
    Event,
    FinalTranscript,
    FinalTranslation,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
    Silence,
)
from eval.reply_probe import FLOOR, ReplyProbe
from eval.worker_pool import WorkerPool

__all__ = ['CHUNK_S', 'TO_ENGLISH', 'TRACE', 'Hearing', 'Listener', 'HeardReply', 'Task', 'hear']

TRACE = '_trace'
NS = 1e9
TO_ENGLISH = TranslationConfig.to_english
"""Who writes the English of final translations where the caller does not say."""
VERSION = 4
"""Part of the key of the cache; one more when a hearing changes its meaning."""
TRACE_VERSION = 5
"""The same of a lane that never replies; 3: what it would have said has its confidence."""


@dataclass
class HeardReply:
    """One reply of a lane; times are seconds of the stream."""

    lane: str
    at: float
    """End of the chunk that it was decided on."""
    p_respond: float
    start: float = 0.0
    end: float = 0.0
    text: str = ''
    urgent: bool = False
    reason: str = ''
    final: str | None = None
    """Text of the second pass, where there is one."""
    read: str = ''
    """Of a translation: what the second pass read."""
    kept: bool = False
    """Of a translation: the second pass had none of its own, so the streamed text is final."""
    shown: list[tuple[float, str]] = field(default_factory=list)
    """Each text that was shown: seconds of computing since the chunk came, and the text."""


@dataclass
class Hearing:
    """What a model made of one stream."""

    key: str
    name: str
    seconds: float
    p: dict[str, list[float]] = field(default_factory=dict)
    """p_respond per chunk, by lane."""
    replies: list[HeardReply] = field(default_factory=list)
    alerts: list[tuple[float, str]] = field(default_factory=list)
    """Alerts that the policy raised: seconds, label."""
    busy_s: float = 0.0
    muttered: list[tuple[int, bool, str, float]] = field(default_factory=list)
    """Of a trace: chunk from 0, urgent, what would have been said after it, confidence."""
    withheld: list[tuple[str, float, str, float]] = field(default_factory=list)
    """Replies that were not told, being unsure: lane, seconds, text, confidence."""
    alone: bool = True
    """Whether nothing else was heard at the same time, so that computing times mean something."""

    def replies_of(self, lane: str) -> list[HeardReply]:
        """Return the replies of a lane."""
        return [reply for reply in self.replies if reply.lane == lane]


def _from_json(row: dict[str, Any]) -> Hearing:
    replies = [HeardReply(**{**reply, 'shown': [tuple(part) for part in reply['shown']]})
               for reply in row.pop('replies')]
    return Hearing(**{**row, 'replies': replies,
                      'alerts': [tuple(alert) for alert in row['alerts']],
                      'withheld': [tuple(entry) for entry in row.get('withheld', ())],
                      'muttered': [tuple(entry) for entry in row['muttered']]})


@dataclass(frozen=True)
class Task:
    """A stream to hear."""

    place: int
    """Where it stands among those that were asked for."""
    key: str
    name: str
    samples: np.ndarray
    lanes: tuple[LaneConfig, ...]


class BlockClock:
    """Hands blocks out and remembers when the newest one came."""

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples
        self.began = time.perf_counter()

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield blocks of one chunk, stamped from 0."""
        for at in range(0, len(self._samples), CHUNK_SAMPLES):
            self.began = time.perf_counter()
            yield AudioBlock(samples=self._samples[at:at + CHUNK_SAMPLES],
                             sample_rate_hz=SAMPLE_RATE_HZ,
                             stamp_ns=round(at * NS / SAMPLE_RATE_HZ))


def hear(runtime: Runtime, task: Task, *, second_pass: Any = None,
         translation_second_pass: Transcriber | None = None, to_english: str = TO_ENGLISH,
         progress: Callable[[float], None] | None = None) -> Hearing:
    """Return what a model makes of a stream: pipeline, session, second passes, alert policy."""
    runtime.encoder.reset()
    tracing = any(lane.name.endswith(TRACE) for lane in task.lanes)
    decoder = ReplyProbe(runtime.decoder, runtime.tokenizer) if tracing else runtime.decoder
    # What would be said is asked after every chunk, so that a trace needs each to be read.
    audio = AudioConfig(quiet_below_dbfs=-200.0) if tracing else AudioConfig()
    config = AssistantConfig(audio=audio, lanes=task.lanes, model=ModelConfig(),
                             translation=TranslationConfig(to_english=to_english))
    assistant = Assistant(config=config, encoder=runtime.encoder, decoder=decoder,
                          tokenizer=runtime.tokenizer, second_pass=second_pass,
                          translation_second_pass=translation_second_pass)
    hearing = Hearing(key=task.key, name=task.name, seconds=len(task.samples) / SAMPLE_RATE_HZ)
    clock, open_replies = BlockClock(task.samples), dict[tuple[str, str], HeardReply]()
    for event in assistant.listen(clock.blocks()):
        _note_event(hearing, open_replies, event, time.perf_counter() - clock.began)
        if progress is not None and isinstance(event, Event):
            progress(event.stamp_ns / NS)
    hearing.busy_s = assistant.stats.busy_s
    if isinstance(decoder, ReplyProbe):
        hearing.muttered = [(unsaid.chunk, unsaid.urgent, unsaid.text, round(unsaid.confidence, 4))
                            for unsaid in decoder.muttered]
    return hearing


@cache
def _make_once(make: Callable[[], Transcriber] | None) -> Transcriber | None:
    """Return what a maker makes, once in each process; None for none."""
    return make() if make is not None else None


def hear_in_pool(runtime: Runtime, task: Task, *,
                 translator: Callable[[], Transcriber] | None = None,
                 to_english: str = TO_ENGLISH) -> tuple[int, Hearing]:
    """Return (place, hearing) of a stream that shares the model or the machine with others."""
    hearing = hear(runtime, task, translation_second_pass=_make_once(translator),
                   to_english=to_english)
    hearing.alone, hearing.busy_s = False, 0.0
    for reply in hearing.replies:
        reply.shown = []
    return task.place, hearing


class Listener:
    """A model with its lanes, and the cache of what it heard."""

    def __init__(self, runtime: Runtime, lanes: Sequence[LaneConfig], *, cache: Path,
                 second_pass: Any = None, variant: str = '', crew: WorkerPool | None = None,
                 translator: Callable[[], Transcriber] | None = None,
                 to_english: str = TO_ENGLISH) -> None:
        """
        Take a running model and the file of the cache, which need not exist yet.

        Lanes take prompt, threshold and the like from the model, as on the robot; a lane
        ``NAME_trace`` takes prompt and slots of ``NAME``. ``variant`` (device, arithmetic) is
        part of the key as well.
        ``crew`` hears what ``hear_all`` is asked for; without it that is one after the other.
        ``translator`` makes the second pass of translations; every process calls it, so it must
        be a class or a function of a module. ``to_english``: as ``translation.to_english``.
        """
        self._variant, self._crew = variant, crew
        self._translator, self._to_english = translator, to_english
        self._runtime, self._second_pass, self._cache = runtime, second_pass, cache
        self.lanes = self._resolve(lanes)
        self._known: dict[str, Hearing] = {}
        self.fresh = 0
        """Hearings that were not in the cache."""
        if cache.exists():
            self._known = {hearing.key: hearing for hearing in _read(cache)}

    def with_lanes(self, lanes: Sequence[LaneConfig]) -> 'Listener':
        """Return a listener with other lanes that keeps what it hears in the same cache."""
        other = copy(self)
        other.lanes = self._resolve(lanes)
        return other

    def _resolve(self, lanes: Sequence[LaneConfig]) -> tuple[LaneConfig, ...]:
        defaults = self._runtime.config.lanes
        traces = {name + TRACE: LaneDefaults(prompt=of.prompt, slots=of.slots)
                  for name, of in defaults.items()}
        return resolve_lanes(lanes, {**traces, **defaults})

    @property
    def translates_again(self) -> bool:
        """Tell whether translations have a second pass."""
        return self._translator is not None

    @property
    def fingerprint(self) -> str:
        """Hash of model, lanes and second passes."""
        tracing = any(lane.name.endswith(TRACE) for lane in self.lanes)
        parts = [TRACE_VERSION if tracing else VERSION, FLOOR, self._variant,
                 self._runtime.encoder.spec.model_id, self._runtime.decoder.spec.model_id,
                 [_lane_key(lane) for lane in self.lanes], type(self._second_pass).__name__]
        if self._translator is not None:
            parts.append(getattr(self._translator, '__qualname__', repr(self._translator)))
            if self._to_english != 'model':  # hearings of before there was a choice stay valid
                parts.append(f'to English: {self._to_english}')
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def hear(self, name: str, samples: np.ndarray,
             progress: Callable[[float], None] | None = None) -> Hearing:
        """Return what the model makes of samples [n] float32 at 16 kHz, heard now or before."""
        task = self._task(0, name, samples)
        if task.key not in self._known:
            self._keep_hearing(hear(self._runtime, task, second_pass=self._second_pass,
                                    progress=progress,
                                    translation_second_pass=_make_once(self._translator),
                                    to_english=self._to_english))
        return self._known[task.key]

    def hear_all(self, streams: Iterable[tuple[str, np.ndarray]]) -> Iterator[tuple[int, Hearing]]:
        """Yield (place, hearing) of (name, samples) as each is done, in any order."""
        if self._crew is None or self._second_pass is not None:
            yield from ((place, self.hear(*stream)) for place, stream in enumerate(streams))
            return
        there: list[tuple[int, Hearing]] = []

        def list_missing() -> Iterator[Task]:
            for place, (name, samples) in enumerate(streams):
                task = self._task(place, name, samples)
                if task.key in self._known:
                    there.append((place, self._known[task.key]))
                else:
                    yield task
        # The second pass would keep all streams of a process waiting, so there is one in each.
        crew = replace(self._crew, streams=1) if self.translates_again else self._crew
        for place, hearing in crew.work(self._runtime, list_missing(), partial(
                hear_in_pool, translator=self._translator, to_english=self._to_english)):
            self._keep_hearing(hearing)
            yield place, hearing
        yield from there

    def _task(self, place: int, name: str, samples: np.ndarray) -> Task:
        digest = hashlib.sha256(samples.astype('<f4').tobytes()).hexdigest()[:16]
        return Task(place, f'{self.fingerprint}-{digest}', name, samples, self.lanes)

    def _keep_hearing(self, hearing: Hearing) -> None:
        self._known[hearing.key] = hearing
        self.fresh += 1
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        cut_off = self._is_cut_off()
        with self._cache.open('a', encoding='utf-8') as lines:
            lines.write('\n' if cut_off else '')
            lines.write(json.dumps(asdict(hearing), ensure_ascii=False) + '\n')

    def _is_cut_off(self) -> bool:
        """Tell whether a kill left the cache without the end of its last line."""
        if not self._cache.exists() or not self._cache.stat().st_size:
            return False
        with self._cache.open('rb') as file:
            file.seek(-1, 2)
            return file.read() != b'\n'


def _lane_key(lane: LaneConfig) -> dict[str, Any]:
    """Return what of a lane decides what it says; a gate that is off is left out."""
    settings = asdict(lane)
    if lane.min_confidence <= 0:
        del settings['min_confidence']  # hearings of before there was one stay valid
    if not lane.slots:
        del settings['slots']  # the same
    return settings


def _read(cache: Path) -> Iterator[Hearing]:
    """Yield the hearings of a cache; a last line cut off by a kill is left out."""
    for line in cache.read_text(encoding='utf-8').splitlines():
        try:
            yield _from_json(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue


def _note_unasked(hearing: Hearing, event: FinalTranscript | FinalTranslation) -> HeardReply:
    """Note the final of words that silence ended, before any lane answered them."""
    reply = HeardReply(lane=event.lane, at=event.stamp_ns / NS, p_respond=0.0,
                       start=event.start_ns / NS, end=event.end_ns / NS, reason='silence')
    hearing.replies.append(reply)
    return reply


def _note_event(hearing: Hearing, open_replies: dict[tuple[str, str], HeardReply],
                event: Event | AlertChange, spent_s: float) -> None:
    """Write one event down."""
    if isinstance(event, AlertChange):
        if event.previous is None:
            hearing.alerts.append((event.alert.last_seen_ns / NS, event.alert.label))
    elif isinstance(event, Silence):
        hearing.p.setdefault(event.lane, []).append(round(event.p_respond, 5))
    elif isinstance(event, ReplyStarted):
        hearing.p.setdefault(event.lane, []).append(round(event.p_respond, 5))
        reply = HeardReply(lane=event.lane, at=event.stamp_ns / NS, p_respond=event.p_respond)
        open_replies[event.lane, event.reply_id] = reply
        hearing.replies.append(reply)
    elif isinstance(event, ReplyText):
        open_replies[event.lane, event.reply_id].shown.append((round(spent_s, 4), event.text))
    elif isinstance(event, ReplyFinished):
        reply = open_replies[event.lane, event.reply_id]
        reply.text, reply.reason = event.text, event.reason
        reply.urgent = event.emotion.name == 'URGENT'
        reply.start, reply.end = event.start_ns / NS, event.end_ns / NS
    elif isinstance(event, ReplyWithheld):
        hearing.replies.remove(open_replies.pop((event.lane, event.reply_id)))
        hearing.withheld.append((event.lane, event.stamp_ns / NS, event.text,
                                 round(event.confidence, 4)))
    elif isinstance(event, (FinalTranscript, FinalTranslation)):
        reply = open_replies.get((event.lane, event.reply_id)) or _note_unasked(hearing, event)
        reply.final = event.text
        if isinstance(event, FinalTranslation):
            reply.read, reply.kept = event.source_text, event.source == 'streamed'
