"""What lies in the cache of graphs: one entry for each, and none that nobody reads."""

import pytest

from audio_interaction_ros.graphs import manifest

pytestmark = pytest.mark.unit


def test_graphs_of_older_formats_leave_the_cache_when_they_are_made_anew(monkeypatch, tmp_path):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path))
    version = int(manifest.FORMAT.rpartition('/')[2])
    older, other, newer = (tmp_path / 'onnx' / name for name in (
        f'tiny-1-encoder-fp32-{version - 1}', f'tiny-1-encoder-int8-{version - 1}',
        f'tiny-1-encoder-fp32-{version + 1}'))
    for folder in (older, other, newer):
        folder.mkdir(parents=True)

    def build(folder):
        manifest.write(folder, manifest.GraphManifest(
            model_id='tiny-1', half='encoder', precision='fp32'))
    for _ in range(2):
        entry = manifest.ensure_cached(build, model_id='tiny-1', half='encoder', precision='fp32')
    assert entry.is_dir() and not older.exists() and other.is_dir() and newer.is_dir()
