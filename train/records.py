"""
The records that pass between the stages of SoundFlow, one JSON object per line on disk.

Owns their fields and their strict reading; every stage is a function from records to records.
Knows no audio library, no model and no corpus. Times are seconds of the stream, chunks count from
0 and are ``chunk_s`` long.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import CHUNK_S, ChunkSize
from audio_interaction_ros.strict_yaml import build
from audio_interaction_ros.whole_file import open_whole

__all__ = ['ABILITIES', 'LICENCE_GROUPS', 'Clip', 'Event', 'Lane', 'RecordError', 'Reply',
           'Stream', 'from_dict', 'read_records', 'to_dict', 'write_records']

ABILITIES = ('voice_chat', 'instruction_following', 'audio_understanding', 'translation', 'asr',
             'proactive', 'environment_agent')
"""The seven abilities of StreamAudio-2M (arXiv 2606.05121, table of sources)."""

LICENCE_GROUPS = ('free', 'share_alike', 'non_commercial', 'unstated')

T = TypeVar('T')


class RecordError(AudioInteractionError, ValueError):
    """A line of a record file is wrong; whoever wrote the file must change it."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One piece of audio on disk: a sound, an utterance, a background."""

    id: str
    path: str
    """File, relative to the folder of the record file or absolute."""
    seconds: float
    offset_s: float = 0.0
    """Where in the file it begins; a clip may be a part of a file."""
    pace: float = 1.0
    """Seconds of the file in one of the clip: above 1 it is heard faster and higher."""
    file_s: float = 0.0
    """Length of the whole file; 0: the clip is all of it."""
    label: str = ''
    """Class in snake_case; empty for speech without a class."""
    caption: str = ''
    """What is heard, in a sentence."""
    tags: tuple[str, ...] = ()
    text: str = ''
    """What is said, where known."""
    language: str = ''
    """en, zh, ... of the text."""
    translation: str = ''
    """The text in the other language, where the source gives one."""
    speaker: str = ''
    source: str = ''
    """Corpus or repository."""
    source_id: str = ''
    """The original recording; clips with the same one stay on one side of any split."""
    licence: str = ''
    licence_group: str = 'unstated'
    """One of LICENCE_GROUPS."""
    author: str = ''
    url: str = ''
    title: str = ''
    generated: bool = False
    """Made by a synthesiser; never counted as a real sound in a metric."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One clip as it was placed on a stream."""

    clip: Clip
    role: str
    """foreground | background | ambient | noise"""
    start_s: float
    end_s: float
    gain_db: float = 0.0
    below_db: float = 0.0
    """Of what lasts: how far below the foreground it was mixed."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a lane says after a chunk; a chunk without one is answered by silence."""

    chunk: int
    text: str
    emotion: str = 'normal'
    """Lower-case name of protocol.Emotion."""
    event: int | None = None
    """Index of the stream's event that it answers."""
    review_of: int | None = None
    """History review: index of the earlier reply in this lane that the answer depends on."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One instruction context over a stream: its prompt and its replies in order of chunks."""

    prompt: str
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A composed stream: audio of whole chunks and what each lane says when."""

    id: str
    ability: str
    """One of ABILITIES."""
    task: str
    """One of the sub-tasks of the corpus recipe."""
    seed: int
    path: str
    """FLAC, 16 kHz mono, relative to the folder of the record file."""
    chunks: int
    chunk_s: float = CHUNK_S
    """Length of a chunk: a model learns from streams that were cut as it hears."""
    events: tuple[Event, ...] = ()
    lanes: dict[str, Lane] = field(default_factory=dict)
    scenario: str = ''
    """What happens, in a sentence or two."""

    @property
    def seconds(self) -> float:
        """Length of its chunks."""
        return self.chunks * self.chunk_s

    @property
    def chunk_size(self) -> ChunkSize:
        """Size of its chunks; raises ConfigurationError where no model can hear such."""
        return ChunkSize.of_seconds(self.chunk_s)


def to_dict(record: Any) -> dict[str, Any]:
    """Return a record as plain JSON types."""
    return dataclasses.asdict(record)


def from_dict(kind: type[T], values: Any, where: str = '') -> T:
    """Return a record of plain JSON types; raises RecordError naming the field."""
    return build(kind, values, where or kind.__name__, RecordError)


def read_records(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield the records of a JSON-lines file; raises RecordError with file and line."""
    with path.open(encoding='utf-8') as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield from_dict(kind, json.loads(line), f'{path.name}:{number}')
            except json.JSONDecodeError as error:
                raise RecordError(f'{path.name}:{number}: not JSON ({error}); write one object '
                                  'per line') from error


def write_records(path: Path, records: Iterable[Any]) -> int:
    """Write records as JSON lines, all or nothing; return how many."""
    count = 0
    with open_whole(path) as lines:
        for record in records:
            lines.write((json.dumps(to_dict(record), ensure_ascii=False) + '\n').encode())
            count += 1
    return count
