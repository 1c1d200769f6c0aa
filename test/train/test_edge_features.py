"""Features on disk: a stage over streams, which goes on and is read whole."""

import numpy as np
import pytest

from train.compose.audio import write_clip
from train.edge import features
from train.edge.feature_folder import feature_files, read_features, read_streams
from train.edge.recipe import read_edge_recipe
from train.records import Lane, Stream
from train.stages import StageError, run_stage
from train.trainer.recipe import dump_recipe

pytestmark = pytest.mark.torch


def as_made(stream):
    """Stage function: a stream as it was composed."""
    return stream


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of three composed streams, and no encoder but a count of chunks."""
    streams = [Stream(id=f'train-alert-{number:05d}', ability='proactive', task='alert', seed=0,
                      path=f'audio/{number}.flac', chunks=number + 1,
                      lanes={'assistant': Lane(prompt='')}) for number in range(3)]
    for stream in streams:
        write_clip(tmp_path / stream.path, np.full(6_400 * stream.chunks, 0.1, np.float32))
    run_stage('streams', streams, as_made, out=tmp_path, workers=0)
    monkeypatch.setattr(features, '_open_tower', lambda window_s: window_s)
    monkeypatch.setattr(features, 'encode', lambda window_s, mel: (
        np.full((len(mel), 5, 2), mel.shape[1:], np.float16),
        np.full((len(mel), 3), window_s, np.float16)))
    return tmp_path


def write(folder, monkeypatch, *more):
    monkeypatch.setattr('sys.argv', ['features', '--scenes', str(folder), '--workers', '0', *more])
    features.main()


def test_every_stream_has_frames_and_summaries_of_its_chunks(folder, monkeypatch, capsys):
    write(folder, monkeypatch)
    assert 'features of 3 streams' in capsys.readouterr().out
    streams = read_streams(folder)
    assert [stream.chunks for stream in streams] == [1, 2, 3]
    for stream in streams:
        frames, heard = read_features(folder, stream)
        assert frames.shape == (stream.chunks, 5, 2) and heard.shape == (stream.chunks, 3)
        assert (frames == (144, 200)).all()  # rows of mel and of the tagger, frames of 2 s
    assert read_features(folder, streams[2], 1, 2)[0].shape == (1, 5, 2)


def test_the_recipe_says_how_long_the_encoder_hears_at_once(folder, monkeypatch):
    recipe = folder / 'recipe.yaml'
    dump_recipe(read_edge_recipe('edge', ('window_s=6',)), recipe)
    write(folder, monkeypatch, '--recipe', str(recipe))
    for frames, heard in (read_features(folder, stream) for stream in read_streams(folder)):
        assert (frames == (144, 600)).all() and (heard == 6).all()


def test_what_is_done_is_not_heard_again_and_unfinished_streams_are_refused(folder, monkeypatch):
    with pytest.raises(StageError, match='not finished'):
        read_streams(folder)
    write(folder, monkeypatch)
    before = {path: path.stat().st_mtime_ns for stream in read_streams(folder)
              for path in feature_files(folder, stream)}
    monkeypatch.setattr(features, 'encode', None)
    write(folder, monkeypatch)
    assert before == {path: path.stat().st_mtime_ns for path in before}
