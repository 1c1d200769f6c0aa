"""
A built stream through the real runtime, lane by lane, beside what was due.

Owns the comparison. Everything else is the Assistant that runs on a robot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from audio_interaction_ros.alerts.alert import AlertChange
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.config import AssistantConfig, LaneConfig, ModelConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import Event, ReplyFinished, ReplyStarted, Silence
from train.records import Stream

__all__ = ['LaneOutcome', 'GivenReply', 'listen']

SLOTS = 1_000_000
"""More than any model has: the assistant takes what the model was trained for."""
KINDS = ('transcript', 'translation')


@dataclass(frozen=True)
class GivenReply:
    """A reply that the runtime gave."""

    chunk: int
    text: str
    emotion: Emotion


@dataclass
class LaneOutcome:
    """What one lane decided; ``p_respond`` holds one value per chunk."""

    p_respond: list[float] = field(default_factory=list)
    decided: list[bool] = field(default_factory=list)
    replies: list[GivenReply] = field(default_factory=list)


def _make_lanes(stream: Stream) -> tuple[LaneConfig, ...]:
    return tuple(LaneConfig(name=name, kind=name if name in KINDS else 'reply',
                            prompt=lane.prompt, threshold=0.5, max_reply_tokens=512)
                 for name, lane in stream.lanes.items())


def _events_within(assistant: Assistant, path: Path, chunks: int) -> Iterator[Event]:
    for event in assistant.listen(read_blocks(str(path))):
        # The assistant adds a tail of silence, which the stream does not have.
        if not isinstance(event, AlertChange) and event.seq < chunks:
            yield event


def listen(stream: Stream, folder: Path, model: str, *, device: str = 'cpu',
           dtype: str = 'auto', threads: int = 2) -> Mapping[str, LaneOutcome]:
    """
    Return what each lane of a stream decided and said; audio paths are relative to ``folder``.

    Prompts are the stream's own, thresholds 0.5; ``threads`` is that of model.threads.
    """
    # On torch, as it was trained: any device, and nothing is quantised.
    config = AssistantConfig(lanes=_make_lanes(stream), model=replace(
        ModelConfig(), path=model, runtime='torch', device=device, dtype=dtype, threads=threads,
        slots=SLOTS))
    assistant = Assistant.load(config)
    heard = {name: LaneOutcome() for name in stream.lanes}
    for event in _events_within(assistant, folder / stream.path, stream.chunks):
        lane = heard[event.lane]
        match event:
            case Silence() | ReplyStarted():
                lane.p_respond.append(event.p_respond)
                lane.decided.append(isinstance(event, ReplyStarted))
            case ReplyFinished():
                lane.replies.append(GivenReply(event.seq, event.text, event.emotion))
    return heard
