"""Several processes hear as one does."""

import fcntl
import importlib
import multiprocessing
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.runtimes.base import Runtime
from eval.hearing.listener import Listener
from eval.worker_pool import WorkerPool, WorkerPoolError

pytestmark = pytest.mark.unit

LANES = (LaneConfig(name='assistant', threshold=0.5, max_reply_tokens=24),)


@pytest.fixture
def models(monkeypatch):
    """Return models_for_crew by the name under which other processes find it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module('models_for_pool')


def streams(parts):
    return [(f's{i}', parts.hiss(1.0 + 1.3 * i, level=0.02 * (1 + i), seed=i)) for i in range(6)]


def decided(heard):
    return {place: ([(reply.at, reply.text) for reply in one.replies], one.p)
            for place, one in heard}


def test_two_processes_hear_as_one_and_keep_what_they_heard(parts, models, tmp_path):
    alone = Listener(models.made(), LANES, cache=tmp_path / 'a')
    expected = decided(alone.hear_all(streams(parts)))
    assert sum(len(replies) for replies, _ in expected.values()) > 3
    crew = WorkerPool(make=models.made, processes=2, streams=2)
    listener = Listener(models.made(), LANES, cache=tmp_path / 'b', crew=crew)
    assert decided(listener.hear_all(streams(parts))) == expected and listener.fresh == 6
    known = models.made()
    deaf = Runtime(encoder=known.encoder, decoder=SimpleNamespace(spec=known.decoder.spec),
                   tokenizer=known.tokenizer, config=SimpleNamespace(lanes={}))
    again = Listener(deaf, LANES, cache=tmp_path / 'b', crew=crew)
    assert decided(again.hear_all(streams(parts))) == expected and again.fresh == 0


def test_a_process_that_fails_says_why(parts, models, tmp_path):
    listener = Listener(models.made(), LANES, cache=tmp_path / 'c', crew=WorkerPool(
        make=models.broken, processes=2, streams=2))
    with pytest.raises(WorkerPoolError, match='no such weights'):
        list(listener.hear_all(streams(parts)))


def test_nobody_goes_on_when_the_one_that_asked_is_killed(models, tmp_path):
    path = tmp_path / 'lock'
    boss = multiprocessing.get_context('spawn').Process(target=models.work_at, args=(path,))
    boss.start()
    held = Path(f'{path}.held')
    while boss.is_alive() and not held.exists():
        time.sleep(0.05)
    boss.kill()
    boss.join()
    with path.open() as file:  # waits for a minute where the process lives on
        begin = time.monotonic()
        fcntl.flock(file, fcntl.LOCK_EX)
    assert time.monotonic() - begin < 30
