"""
Streams of ours in the forms of the release and of the dataset card, and back.

Owns where a reply stands: a frame is one encoder output, 640 samples or 40 ms; ten make a chunk.
Knows no file; the forms themselves are ``release``'s.
"""

from collections.abc import Mapping

from train.corpora.release import CardRow, CardTurn, OnlineRow, OnlineTurn
from train.records import Clip, Event, Lane, RecordError, Reply, Stream
from train.stages.shards import Rejected

__all__ = ['card_of', 'online_of', 'stream_of']

FRAMES_PER_CHUNK = 10
FRAME_S = 0.04


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
