"""
The files of the released code and of the published dataset card, read and written.

Owns their fields. What they say of our streams is ``release_streams``'. Knows no audio file and
no token.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from audio_interaction_ros.protocol import Emotion
from train.records import RecordError
from train.stages.shards import write_whole

__all__ = ['CardRow', 'CardTurn', 'OfflineRow', 'OnlineRow', 'OnlineTurn', 'card_dict',
           'card_row', 'offline_dict', 'offline_row', 'online_dict', 'online_row', 'read_release',
           'write_release']

SILENCE = '<no need to response>'
"""Exact words of the release for a turn that is answered by silence."""
EMOTIONS = tuple(emotion.name.lower() for emotion in Emotion)
T = TypeVar('T')


@dataclass(frozen=True, kw_only=True)
class OnlineTurn:
    """One clip and the reply to it; what the release's builder adds is None before its steps."""

    audio_path: str
    assistant: str
    """Empty: silence."""
    emotion: str = 'normal'
    leading_silence_frames: int | None = None
    leading_noise_path: str | None = None
    leading_noise_start_s: float | None = None
    audio_frames: int | None = None


@dataclass(frozen=True, kw_only=True)
class OnlineRow:
    """A stream in the release's online form."""

    turns: tuple[OnlineTurn, ...]
    idx: int | None = None
    tail_silence_frames: int | None = None
    tail_noise_path: str | None = None
    tail_noise_start_s: float | None = None
    tail_silence_frames_actual: int | None = None
    concat_wav_path: str | None = None
    pt_path_dir: str | None = None


@dataclass(frozen=True, kw_only=True)
class OfflineRow:
    """One question, with or without audio, and its answer."""

    assistant: str
    user: str = ''
    audio_path: str = ''

    @property
    def layout(self) -> str:
        """A_T_T with audio and text, A_T with audio only, T_T with text only."""
        return 'T_T' if not self.audio_path else 'A_T_T' if self.user else 'A_T'


@dataclass(frozen=True, kw_only=True)
class CardTurn:
    user: str
    assistant: str
    emotion: str = 'normal'
    scene_type: str = ''
    audio_path: str = ''


@dataclass(frozen=True, kw_only=True)
class CardRow:
    """A stream in the form of the dataset card."""

    id: str
    stream_scene_type: str
    turns: tuple[CardTurn, ...]


def _is_silence(text: str) -> bool:
    return text.strip().strip('<>').strip().lower() == SILENCE.strip('<>')


def _read_texts(values: Mapping[str, Any], *names: str) -> list[str]:
    texts = [values.get(name) or '' for name in names]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f'expected text in {names}, got {texts}')
    return texts


def _read_emotion(values: Mapping[str, Any]) -> str:
    emotion = str(values.get('emotion') or 'normal').lower()
    if emotion not in EMOTIONS:
        raise ValueError(f'expected an emotion out of {EMOTIONS}, got {emotion!r}')
    return emotion


def _read_optional(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the optional fields of a record that a row has."""
    hints = {name: hint for name, hint in kind.__annotations__.items() if 'None' in str(hint)}
    for name in hints:
        allowed = (str,) if 'str' in str(hints[name]) else (int,) if 'int' in str(hints[name]) \
            else (int, float)
        if values.get(name) is not None and type(values[name]) not in allowed:
            raise ValueError(f'{name}: expected {hints[name]}, got {values[name]!r}')
    return {name: values.get(name) for name in hints}


def _online_turn(values: Mapping[str, Any]) -> OnlineTurn:
    assistant, path, merged = _read_texts(values, 'assistant', 'audio_path', 'merge_path')
    if not assistant.strip() or not path + merged:
        raise ValueError('expected audio_path (or merge_path) and assistant')
    return OnlineTurn(**_read_optional(OnlineTurn, values), audio_path=path or merged,
                      emotion=_read_emotion(values),
                      assistant='' if _is_silence(assistant) else assistant.strip())


def online_row(values: Mapping[str, Any]) -> OnlineRow:
    """Return an online row of either form (``conversation`` or one turn); raises ValueError."""
    turns = values.get('conversation', [values])
    if not isinstance(turns, list) or not turns:
        raise ValueError(f'expected a list of turns under conversation, got {turns!r}')
    return OnlineRow(turns=tuple(map(_online_turn, turns)), **_read_optional(OnlineRow, values))


def online_dict(row: OnlineRow) -> dict[str, Any]:
    """Return an online row as the release writes it; ``turns`` is their number."""
    given = {name: value for name, value in vars(row).items()
             if name != 'turns' and value is not None}
    turns = [{name: value for name, value in vars(turn).items() if value is not None}
             | {'assistant': turn.assistant or SILENCE} for turn in row.turns]
    return {**given, 'turns': len(turns), 'conversation': turns}


def offline_row(values: Mapping[str, Any]) -> OfflineRow:
    """Return an offline row, flat or the first turn of a conversation; raises ValueError."""
    turns = values.get('conversation', [values])
    if not isinstance(turns, list) or not turns or not isinstance(turns[0], Mapping):
        raise ValueError(f'expected a list of turns under conversation, got {turns!r}')
    user, assistant, path, merged = _read_texts(
        turns[0], 'user', 'assistant', 'audio_path', 'merge_path')
    if not assistant.strip() or not (user + path + merged).strip():
        raise ValueError('expected assistant, and user or audio_path (or both)')
    return OfflineRow(user=user.strip(), assistant=assistant.strip(), audio_path=path or merged)


def offline_dict(row: OfflineRow) -> dict[str, Any]:
    """Return an offline row in its flat form, without what is empty."""
    return {name: value for name, value in vars(row).items() if value}


def card_row(values: Mapping[str, Any]) -> CardRow:
    """Return a row of the dataset card; raises ValueError, also for another number of turns."""
    turns = values.get('turns')
    if not isinstance(turns, list) or values.get('num_turns', len(turns)) != len(turns):
        raise ValueError(f'expected num_turns turns, got {values.get("num_turns")} and {turns!r}')
    name, scene = _read_texts(values, 'id', 'stream_scene_type')
    made = []
    for turn in turns:
        user, assistant, kind, path = _read_texts(turn, 'user', 'assistant', 'scene_type',
                                                  'audio_path')
        made.append(CardTurn(user=user, scene_type=kind, audio_path=path,
                             emotion=_read_emotion(turn),
                             assistant='' if _is_silence(assistant) else assistant))
    return CardRow(id=name, stream_scene_type=scene, turns=tuple(made))


def card_dict(row: CardRow) -> dict[str, Any]:
    """Return a row as the dataset card shows it."""
    return {'id': row.id, 'stream_scene_type': row.stream_scene_type, 'num_turns': len(row.turns),
            'turns': [{**vars(turn), 'assistant': turn.assistant or SILENCE}
                      for turn in row.turns]}


def read_release(path: Path, form: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
    """Yield the rows of a file by ``online_row``, ``offline_row`` or ``card_row``; RecordError."""
    with path.open(encoding='utf-8') as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield form(json.loads(line))
            except (ValueError, AttributeError) as error:
                raise RecordError(f'{path.name}:{number}: {error}; correct the row') from error


def write_release(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines, all or nothing; return how many."""
    lines = [json.dumps(row, ensure_ascii=False) + '\n' for row in rows]
    write_whole(path, ''.join(lines).encode())
    return len(lines)
