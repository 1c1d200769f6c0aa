"""
The files of the released code and of the published dataset card, read and written.

Owns their fields and how they correspond to our streams. A frame is one encoder output, 640
samples or 40 ms; ten make a chunk. Knows no audio file and no token.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from audio_interaction_ros.protocol import Emotion
from train.records import Clip, Event, Lane, RecordError, Reply, Stream
from train.stages.shards import Rejected, write_whole

__all__ = ['CardRow', 'CardTurn', 'OfflineRow', 'OnlineRow', 'OnlineTurn', 'card_dict', 'card_of',
           'card_row', 'offline_dict', 'offline_row', 'online_dict', 'online_of', 'online_row',
           'read_release', 'stream_of', 'with_idx', 'write_release']

SILENCE = '<no need to response>'
"""Exact words of the release for a turn that is answered by silence."""
FRAMES_PER_CHUNK = 10
FRAME_S = 0.04
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


def stream_of(row: OnlineRow, *, name: str, ability: str, task: str, prompt: str, lane: str
              ) -> Stream:
    """
    Return the stream of an online row whose audio is already joined (``concat_wav_path``).

    A reply stands on chunk floor(E / 10), E being the end of its clip in frames: the first chunk
    that ends strictly later. Raises RecordError where the row lacks the builder's fields or a
    reply would fall behind the end.
    """
    frames = [(turn.leading_silence_frames, turn.audio_frames) for turn in row.turns]
    if row.concat_wav_path is None or any(None in pair for pair in frames):
        raise RecordError(f'{name}: expected concat_wav_path and, in every turn, audio_frames and '
                          'leading_silence_frames; run the builder of the release over the row')
    events: list[Event] = []
    replies: list[Reply] = []
    end = 0
    for turn in row.turns:
        start = end + (turn.leading_silence_frames or 0)
        end = start + (turn.audio_frames or 0)
        clip = Clip(id=turn.audio_path, path=turn.audio_path,
                    seconds=(turn.audio_frames or 0) * FRAME_S)
        if turn.assistant:
            replies.append(Reply(chunk=end // FRAMES_PER_CHUNK, text=turn.assistant,
                                 emotion=turn.emotion, event=len(events)))
        events.append(Event(clip=clip, role='foreground', start_s=start * FRAME_S,
                            end_s=end * FRAME_S))
    total = end + (row.tail_silence_frames_actual or row.tail_silence_frames or 0)
    if replies and replies[-1].chunk >= total // FRAMES_PER_CHUNK:
        raise RecordError(f'{name}: the last reply falls behind the end of the stream; give the '
                          'row a longer tail')
    return Stream(id=name, ability=ability, task=task, seed=row.idx or 0,
                  path=row.concat_wav_path, chunks=total // FRAMES_PER_CHUNK,
                  events=tuple(events), lanes={lane: Lane(prompt=prompt, replies=tuple(replies))})


def _replies_by_event(stream: Stream, lane: str) -> dict[int, Reply] | Rejected:
    """Return the reply to each event, or why these forms cannot say what the lane says."""
    answers: dict[int, Reply] = {}
    for reply in stream.lanes[lane].replies:
        if reply.event is None or reply.event in answers:
            return Rejected('more replies than events', f'{stream.id}, chunk {reply.chunk}')
        answers[reply.event] = reply
    return answers


def _answered_events(stream: Stream,
                     answers: Mapping[int, Reply]) -> list[tuple[Event, Reply | None]]:
    """Return the foreground events and whatever else is answered, by their ends."""
    chosen = [(event, answers.get(index)) for index, event in enumerate(stream.events)
              if event.role == 'foreground' or index in answers]
    return sorted(chosen, key=lambda each: each[0].end_s)


def online_of(stream: Stream, lane: str) -> OnlineRow | Rejected:
    """
    Return a stream in the online form with the builder's fields, so that its next steps apply.

    The lane may give one reply to an event at most. The ends of the clips are moved within the
    frames of the chunk that carries the reply, so the release's rule puts it on the same chunk.
    """
    answers = _replies_by_event(stream, lane)
    if isinstance(answers, Rejected):
        return answers
    turns, before = [], 0
    for event, reply in _answered_events(stream, answers):
        end = round(event.end_s / FRAME_S)
        if reply is not None:
            first = reply.chunk * FRAMES_PER_CHUNK
            end = min(max(end, first), first + FRAMES_PER_CHUNK - 1)
        start = max(before, min(round(event.start_s / FRAME_S), end))
        if end < before:
            return Rejected('replies out of order', f'{stream.id} at {event.end_s} s')
        turns.append(OnlineTurn(
            audio_path=event.clip.path, assistant=reply.text if reply else '',
            emotion=reply.emotion if reply else 'normal', leading_silence_frames=start - before,
            audio_frames=end - start))
        before = end
    tail = stream.chunks * FRAMES_PER_CHUNK - before
    if not turns or tail < 0:
        return Rejected('no turn or events behind the end', stream.id)
    return OnlineRow(turns=tuple(turns), concat_wav_path=stream.path,
                     tail_silence_frames=tail, tail_silence_frames_actual=tail)


def card_of(stream: Stream, lane: str) -> CardRow | Rejected:
    """Return a stream in the form of the dataset card, one turn per event that is answered."""
    answers = _replies_by_event(stream, lane)
    if isinstance(answers, Rejected):
        return answers
    turns = tuple(
        CardTurn(user=event.clip.text or event.clip.caption or event.clip.label,
                 assistant=reply.text if reply else '', scene_type=stream.task,
                 emotion=reply.emotion if reply else 'normal', audio_path=event.clip.path)
        for event, reply in _answered_events(stream, answers))
    return CardRow(id=stream.id, stream_scene_type=stream.ability, turns=turns)


def with_idx(rows: Iterable[OnlineRow]) -> Iterator[OnlineRow]:
    """Yield rows numbered from 0, which the release's builder resumes by."""
    for number, row in enumerate(rows):
        yield replace(row, idx=number)
