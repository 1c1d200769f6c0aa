"""Stages: order, rejections, resuming after kills with the same bytes, full disks, Ray."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from train.records import Clip, Reply
from train.stages import Rejected, StageError, read_stage, run_stage, stable_seed

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]

# Spawned workers import the functions by name, as those of a real stage.
FUNCTIONS = """
import os, random, signal, time
from dataclasses import replace
from pathlib import Path
from train.records import Clip
from train.stages import Rejected, stable_seed
from audio_interaction_ros.errors import MissingDependencyError

def noted(clip):
    return replace(clip, caption=f'{random.Random(stable_seed(clip.id)).random():.6f}')

def slowly(clip):
    time.sleep(0.02)
    return noted(clip)

def several(clip):
    number = int(clip.id)
    if number % 5 == 0:
        return Rejected('a multiple of five', clip.id)
    if number % 7 == 0:
        raise ValueError(f'seven divides {number}')
    return [noted(clip)] * (number % 3)

def killed_once(clip, mark):
    if clip.id == '9' and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(clip)

def always_killed(clip):
    if clip.id == '9':
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(clip)

def full_disk(clip):
    Path('/dev/full').write_text('x')

def without_library(clip):
    raise MissingDependencyError('pip install it')

def nothing(clip):
    return None
"""


@pytest.fixture
def functions(tmp_path, monkeypatch):
    folder = tmp_path / 'importable'
    folder.mkdir()
    (folder / 'stage_functions.py').write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv('PYTHONPATH', f'{folder}{os.pathsep}{ROOT}')
    sys.modules.pop('stage_functions', None)
    import stage_functions
    yield stage_functions
    sys.modules.pop('stage_functions', None)


def clips(count):
    return [Clip(id=str(i), path=f'{i}.flac', seconds=0.5) for i in range(count)]


def parts(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob('part-*.jsonl'))}


def stage(tmp_path, function, records=None, out='out', **options):
    options = {'workers': 0, 'shard_size': 8, 'progress': False} | options
    return run_stage('notes', clips(30) if records is None else records, function,
                     out=tmp_path / out, **options)


def test_results_keep_the_order_of_the_records(tmp_path, functions):
    report = stage(tmp_path, functions.noted, workers=2)
    written = list(read_stage(tmp_path / 'out/notes', Clip))
    assert [clip.id for clip in written] == [str(i) for i in range(30)]
    assert report.records_in == report.records_out == 30
    assert report.shards == 4
    assert report.audio_hours == pytest.approx(15 / 3600)


def test_every_number_of_workers_writes_the_same_bytes(tmp_path, functions):
    here = stage(tmp_path, functions.several, out='a')
    apart = stage(tmp_path, functions.several, out='b', workers=3)
    assert here.sha256 == apart.sha256
    assert parts(tmp_path / 'a/notes') == parts(tmp_path / 'b/notes')


def test_rejections_and_errors_are_counted_by_reason(tmp_path, functions):
    report = stage(tmp_path, functions.several)
    assert report.rejected == {'a multiple of five': 6, 'error: ValueError': 4}
    written = [int(clip.id) for clip in read_stage(tmp_path / 'out/notes', Clip)]
    assert written == [i for i in range(30) if i % 5 and i % 7 for _ in range(i % 3)]
    done = json.loads((tmp_path / 'out/notes/part-00000.done.json').read_text())
    assert {'record': '7', 'reason': 'error: ValueError', 'detail': 'seven divides 7'} \
        in done['rejections']
    assert json.loads((tmp_path / 'out/notes/report.json').read_text())['rejected'] \
        == report.rejected


@pytest.mark.parametrize('workers', [0, 1])
def test_an_error_ends_the_stage_where_errors_are_not_skipped(tmp_path, functions, workers):
    with pytest.raises(StageError, match='Shard 0 failed: ValueError: seven divides 7'):
        stage(tmp_path, functions.several, on_error='raise', workers=workers)
    with pytest.raises(StageError, match='not finished'):
        list(read_stage(tmp_path / 'out/notes', Clip))


def test_a_missing_library_is_no_rejection(tmp_path, functions):
    with pytest.raises(StageError, match='pip install it'):
        stage(tmp_path, functions.without_library)


def test_a_function_that_returns_nothing_is_told(tmp_path, functions):
    with pytest.raises(StageError, match='got NoneType'):
        stage(tmp_path, functions.nothing)


def test_a_killed_worker_leaves_no_trace_in_the_data(tmp_path, functions):
    from functools import partial
    mark = tmp_path / 'mark'
    report = stage(tmp_path, partial(functions.killed_once, mark=str(mark)), workers=2)
    assert mark.exists()
    assert report.rejected == {}
    assert report.sha256 == stage(tmp_path, functions.noted, out='calm').sha256


def test_a_record_that_always_kills_its_worker_is_rejected(tmp_path, functions):
    report = stage(tmp_path, functions.always_killed, workers=1)
    assert report.rejected == {'worker killed': 1}
    assert report.records_out == 29


def test_a_record_that_always_kills_its_worker_ends_a_strict_stage(tmp_path, functions):
    with pytest.raises(StageError, match=r'died 2 times at its record 1 \(exit code -9'):
        stage(tmp_path, functions.always_killed, workers=1, on_error='raise')


def test_a_build_killed_in_the_middle_goes_on_with_the_same_bytes(tmp_path, functions):
    calm = stage(tmp_path, functions.slowly, clips(60), out='calm', shard_size=4)
    script = tmp_path / 'build.py'
    script.write_text(
        'import sys\nfrom pathlib import Path\nfrom stage_functions import slowly\n'
        'from train.records import Clip\nfrom train.stages import run_stage\n'
        'if __name__ == "__main__":\n'
        '    clips = [Clip(id=str(i), path=f"{i}.flac", seconds=0.5) for i in range(60)]\n'
        '    run_stage("notes", clips, slowly, out=Path(sys.argv[1]), workers=2,\n'
        '              shard_size=4, progress=False)\n')
    build = subprocess.Popen([sys.executable, str(script), str(tmp_path / 'out')],
                             start_new_session=True)
    folder = tmp_path / 'out/notes'
    while build.poll() is None and len(list(folder.glob('part-*.done.json'))) < 4:
        time.sleep(0.01)
    os.kill(build.pid, signal.SIGKILL)
    assert build.wait() == -signal.SIGKILL
    assert not (folder / 'report.json').exists()
    assert 4 <= len(parts(folder)) < 15
    (folder / '.part-00007.jsonl.abc.unfinished').write_bytes(b'half')
    report = stage(tmp_path, functions.slowly, clips(60), shard_size=4)
    assert not list(folder.glob('.*.unfinished'))
    assert report.resumed_shards >= 4
    assert report.sha256 == calm.sha256
    assert parts(folder) == parts(tmp_path / 'calm/notes')


def test_a_torn_or_changed_part_is_built_again(tmp_path, functions):
    first = stage(tmp_path, functions.noted)
    torn = tmp_path / 'out/notes/part-00001.jsonl'
    torn.write_bytes(torn.read_bytes()[:-40])
    (tmp_path / 'out/notes/part-00002.done.json').write_text('{"index": 2')
    again = stage(tmp_path, functions.noted)
    assert (again.resumed_shards, again.sha256) == (2, first.sha256)


def test_only_what_changed_in_the_input_is_built_again(tmp_path, functions):
    stage(tmp_path, functions.noted)
    changed = [*clips(20), Clip(id='new', path='new.flac', seconds=1.0)]
    report = stage(tmp_path, functions.noted, changed)
    assert (report.shards, report.resumed_shards, report.records_out) == (3, 2, 21)
    assert len(parts(tmp_path / 'out/notes')) == 3
    assert report.sha256 == stage(tmp_path, functions.noted, changed, out='fresh').sha256


def test_another_function_or_setting_does_not_mix_into_a_folder(tmp_path, functions):
    stage(tmp_path, functions.noted, settings={'fade_s': 0.02})
    for function, settings in ((functions.noted, {'fade_s': 0.03}),
                               (functions.slowly, {'fade_s': 0.02})):
        with pytest.raises(StageError, match='another function or other settings'):
            stage(tmp_path, function, settings=settings)
    assert stage(tmp_path, functions.noted, settings={'fade_s': 0.03}, resume=False
                 ).resumed_shards == 0


def test_two_builds_do_not_share_a_folder(tmp_path, functions):
    import fcntl
    stage(tmp_path, functions.noted)
    with (tmp_path / 'out/notes/.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StageError, match='Another build is at work'):
            stage(tmp_path, functions.noted)


@pytest.mark.parametrize('workers', [0, 1])
def test_a_full_disk_under_the_function_ends_the_stage(tmp_path, functions, workers):
    with pytest.raises(StageError, match='free some space and run the same command again'):
        stage(tmp_path, functions.full_disk, workers=workers)


def test_a_full_disk_under_the_parts_loses_nothing_that_was_finished(tmp_path, functions,
                                                                     monkeypatch):
    def fsync(descriptor, synced=[]):  # noqa: B006
        synced.append(descriptor)
        if len(synced) > 10:  # file and folder of what is whole each time
            raise OSError(errno.ENOSPC, 'No space left on device')
    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', fsync)
        with pytest.raises(StageError, match='No room left to write under'):
            stage(tmp_path, functions.noted)
    assert not list((tmp_path / 'out/notes').glob('.*.unfinished'))
    report = stage(tmp_path, functions.noted)
    assert report.resumed_shards == 2
    assert report.sha256 == stage(tmp_path, functions.noted, out='calm').sha256


def test_records_may_be_a_generator_and_dicts(tmp_path):
    report = stage(tmp_path, dict, ({'id': str(i), 'chunks': 5} for i in range(20)))
    assert (report.records_out, report.audio_hours) == (20, pytest.approx(40 / 3600))


def test_no_records_make_an_empty_stage(tmp_path, functions):
    assert stage(tmp_path, functions.noted, []).records_out == 0
    assert list(read_stage(tmp_path / 'out/notes', Clip)) == []


def test_a_number_that_is_not_one_is_no_record(tmp_path):
    report = stage(tmp_path, lambda record: {'gain_db': float('nan')}, [{'id': '1'}])
    assert report.rejected == {'error: ValueError': 1}


def test_read_as_another_kind_is_refused(tmp_path, functions):
    stage(tmp_path, functions.noted)
    with pytest.raises(ValueError, match='part-00000.jsonl:1'):
        list(read_stage(tmp_path / 'out/notes', Reply))


def test_unknown_backend_is_refused(tmp_path, functions):
    with pytest.raises(StageError, match="got 'dask'"):
        stage(tmp_path, functions.noted, backend='dask')


def test_rate_says_what_many_hours_take(tmp_path, functions):
    report = stage(tmp_path, functions.slowly)
    assert report.core_hours_for(report.audio_hours) == pytest.approx(report.core_hours)


def test_a_seed_is_the_same_in_every_process():
    assert stable_seed('stream', 7) == 5815999208972625552
    assert stable_seed('stream', 7) != stable_seed('stream7')
    assert 0 <= stable_seed() < 2 ** 63


def test_a_rejection_needs_a_reason():
    assert Rejected('too short').detail == ''


def test_ray_data_writes_the_same_bytes_and_outlives_a_killed_worker(tmp_path, functions):
    ray = pytest.importorskip('ray')
    pytest.importorskip('ray.data')
    from functools import partial
    mark = tmp_path / 'mark'
    function = partial(functions.killed_once, mark=str(mark))
    # A cluster of its own: another could not import the functions of this test.
    ray.init(address='local', num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        report = stage(tmp_path, function, backend='ray', workers=2)
        assert mark.exists()
        assert report.sha256 == stage(tmp_path, functions.noted, out='here').sha256
        assert stage(tmp_path, function, backend='ray', workers=2).resumed_shards == 4
        with pytest.raises(StageError, match='seven divides 7'):
            stage(tmp_path, functions.several, out='strict', backend='ray', on_error='raise')
    finally:
        ray.shutdown()
