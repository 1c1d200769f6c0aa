"""What is told of the sounds of a chunk: by which part of a clip, and what stays unknown."""

import json

import numpy as np
import pytest

from train.edge.sound_targets import (
    TAGGER_CLASSES,
    TAGGER_FRAME_S,
    UNKNOWN,
    make_targets,
    read_tagger,
    tag_chunks,
)
from train.records import Clip, Event, Stream

pytestmark = pytest.mark.unit

LENGTH = 8 * TAGGER_FRAME_S


def event(start=0.0, end=4.0, name='a.flac', label='siren', below_db=0.0, text='', **clip):
    return Event(role='foreground', start_s=start, end_s=end, below_db=below_db, clip=Clip(
        id=name, path=f'/somewhere/{name}', seconds=LENGTH, label=label, text=text, **clip))


def stream(*events, chunks=4):
    return Stream(id='s', ability='proactive', task='alert', seed=0, path='', chunks=chunks,
                  events=events)


def scores(frames=8):
    """Class 0 of frame n has the score n / 8."""
    found = np.zeros((frames, TAGGER_CLASSES), np.float16)
    found[:, 0] = np.arange(frames) / 8
    return {'a.flac': found}


def heard(*events, chunks=4, known=None):
    return tag_chunks(stream(*events, chunks=chunks), known or scores())[:, 0] * 8


def test_a_clip_is_heard_from_its_file_s_beginning():
    assert heard(event()).tolist() == [0, 1, 2, 2]


def test_a_clip_heard_from_its_middle_is_looked_up_there():
    assert heard(event(offset_s=2 * TAGGER_FRAME_S, file_s=LENGTH)).tolist() == [2, 3, 4, 4]


def test_a_clip_that_begins_again_is_looked_up_from_its_beginning_again():
    assert heard(event(offset_s=6 * TAGGER_FRAME_S, file_s=LENGTH)).tolist() == [6, 7, 0, 0]


def test_of_a_clip_played_faster_more_has_passed():
    assert heard(event(pace=2.0, file_s=LENGTH)).tolist() == [0, 2, 4, 5]


def test_a_chunk_is_known_only_if_everything_in_it_is():
    spoken = event(0.5, 0.7, name='speech/1.flac', label='', text='Hello.')
    assert heard(event(0.0, 1.2), spoken).tolist() == [0, 8 * UNKNOWN, 2, 8 * UNKNOWN]
    assert (heard(event(), event(name='without scores')) == 8 * UNKNOWN).all()


def test_of_two_known_clips_the_louder_score_counts_and_a_faint_one_only_alone():
    both = {**scores(), 'b.flac': np.full((8, TAGGER_CLASSES), 0.5, np.float16)}
    bed, short = event(0.0, 9.0, name='b.flac'), event(end=1.6)
    assert heard(short, bed, chunks=5, known=both).tolist() == [4, 4, 4, 4, 4]
    faint = event(0.0, 9.0, name='b.flac', below_db=18.0)
    assert heard(short, faint, chunks=5, known=both).tolist() == [0, 1, 2, 2, 4]


def test_what_is_faint_is_neither_there_nor_absent():
    faint, loud = event(0.0, 1.6, label='rain', below_db=15.0), event(0.4, 0.8, label='rain')
    index = {'rain': 0, 'siren': 1}
    assert make_targets(stream(faint), index).T.tolist() == [[UNKNOWN] * 4, [0] * 4]
    assert make_targets(stream(loud, faint), index).T.tolist() == [
        [UNKNOWN, 1, 1, UNKNOWN], [0] * 4]


def test_scores_of_a_file_are_read(tmp_path):
    (tmp_path / 's.jsonl').write_text(''.join(
        json.dumps({'path': path, 'frames': frames}) + '\n'
        for path, frames in (('a', [[[3, 0.5]], [[3, 0.25], [7, 1.0]]]), ('b', []))))
    found = read_tagger(tmp_path / 's.jsonl')
    assert found['a'][:, 3].tolist() == [0.5, 0.25] and found['a'][1, 7] == 1.0
    assert found['b'].shape == (1, TAGGER_CLASSES) and not found['b'].any()
