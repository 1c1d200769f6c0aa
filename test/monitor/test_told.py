"""What pages are told: the newest of everything, in bounded queues; outlines, never audio."""

import json
import sys

import numpy as np
import pytest

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.monitor.board import Board
from audio_interaction_ros.monitor.hub import Hub
from audio_interaction_ros.monitor.outline import Outline, mix_samples

pytestmark = pytest.mark.unit

RATE = 16_000


def block(samples, rate=RATE, stamp_ns=0):
    return AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=stamp_ns)


def outline_of(samples, sizes, rate=RATE):
    outline, at, pieces = Outline(), 0, []
    for size in sizes:
        piece = outline.push(block(samples[at:at + size], rate, at * 1_000_000_000 // rate))
        at += size
        pieces += [piece] if piece else []
    return [value for piece in pieces for value in piece.pairs], pieces


@pytest.mark.parametrize('sizes', [[RATE], [1600] * 10, [1, 319, 700, 5000, 9980], [100] * 160])
def test_the_outline_is_that_of_20_ms_however_the_audio_is_cut(sizes):
    samples = np.random.default_rng(0).uniform(-1, 1, RATE).astype(np.float32)
    frames = samples.reshape(50, 320)
    expected = np.rint(np.stack([frames.min(1), frames.max(1)], 1) * 1000).astype(int).ravel()
    pairs, pieces = outline_of(samples, sizes)
    assert pairs == expected.tolist() and pieces[0].start_s == 0
    json.dumps(pairs)


def test_a_level_is_that_of_the_samples():
    piece = Outline().push(block(np.full(RATE, 16384, np.int16)))
    assert piece.rms_dbfs == pytest.approx(-6.02, abs=0.01) and set(piece.pairs) == {500}
    assert Outline().push(block(np.zeros(RATE, np.int16))).rms_dbfs == -120


def test_channels_are_mixed_and_what_is_no_number_is_silence():
    stereo = np.array([[0.5, -0.5], [np.nan, 0.0], [np.inf, 0.0]], np.float32)
    assert mix_samples(block(stereo)).tolist() == [0.0, 0.0, 1.0]


def test_after_a_gap_the_outline_begins_at_the_new_stamp():
    outline = Outline()
    outline.push(block(np.zeros(1700, np.float32)))
    piece = outline.push(block(np.zeros(640, np.float32), stamp_ns=5_000_000_000))
    assert piece.start_s == 5 and len(piece.pairs) == 4


def size_of(board):
    return len(json.dumps(board.list_events()))


def test_the_board_keeps_the_newest_and_no_more_than_that():
    board, sizes = Board(), []
    for number in range(20_000):
        board.take('outline', {'start': number / 25, 'pairs': [0] * 4, 'rms': -30})
        board.take('text', {'key': f't{number // 5}', 'text': f'{number:05d}'})
        board.take('decision', {'lane': 'assistant', 'p': 0.5, 'at': f'{number:05d}'})
        board.take('scores', {'at': number})
        board.take('alert', {'key': f'a{number}'})
        if number in (9_999, 19_999):
            sizes.append(size_of(board))
    assert sizes[1] < 1.01 * sizes[0]
    events = board.list_events()
    texts = [told for kind, told in events if kind == 'text']
    assert [told['text'] for told in texts[-2:]] == ['19994', '19999'] and len(texts) == 40
    starts = [told['start'] for kind, told in events if kind == 'outline']
    assert len(starts) == 400 and starts[-1] == 19_999 / 25
    assert [told for kind, told in events if kind == 'scores'] == [{'at': 19_999}]


def test_long_blocks_are_kept_for_half_a_minute():
    board = Board()
    for second in range(100):
        board.take('outline', {'start': second, 'pairs': [0] * 100, 'rms': -30})
    assert board.list_events()[0][1]['start'] == 68


def test_who_joins_is_told_everything_and_then_what_is_new():
    hub, woken = Hub({'name': 'robot'}), []
    hub.tell('numbers', {'dropped': 1})
    watcher = hub.join(lambda: woken.append(1))
    events, _ = hub.collect(watcher)
    assert events == [('hello', {'name': 'robot'}), ('numbers', {'dropped': 1})]
    hub.tell('numbers', {'dropped': 2})
    hub.tell('sound', {'sound': 'bark'})
    assert len(woken) == 2, 'once until it has collected'
    assert hub.collect(watcher)[0] == [('numbers', {'dropped': 2}), ('sound', {'sound': 'bark'})]
    assert hub.collect(watcher)[0] == []


def test_a_slow_page_misses_frames_and_takes_no_memory():
    hub = Hub({})
    watcher = hub.join(lambda: None)
    hub.collect(watcher)
    for number in range(10_000):
        hub.tell('decision', {'lane': 'assistant', 'number': number})
        assert len(watcher.events) <= 300
    assert hub.missed == 10_000
    events, _ = hub.collect(watcher)
    assert events[0][0] == 'hello' and events[-1][1]['number'] == 9_999 and len(events) == 301
    hub.tell('sound', {'sound': 'bark'})
    assert hub.collect(watcher)[0] == [('sound', {'sound': 'bark'})]


def test_audio_goes_to_those_who_asked_and_never_piles_up():
    hub = Hub({})
    one, other = hub.join(lambda: None), hub.join(lambda: None)
    assert not hub.is_heard
    one.hears = True
    for number in range(1000):
        hub.play(bytes([number % 256]))
    assert hub.is_heard and len(one.audio) == 50 and not other.audio
    assert hub.collect(one)[1][-1] == bytes([999 % 256])
    hub.leave(one)
    hub.leave(one)
    assert len(hub) == 1 and not hub.is_heard


def test_no_server_is_loaded_for_what_needs_none():
    import subprocess
    code = ('import sys; import audio_interaction_ros.monitor.hub, '
            'audio_interaction_ros.monitor.door; print("aiohttp" in sys.modules)')
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          check=True).stdout.strip() == 'False'


def test_a_missing_library_is_named_with_its_remedy(monkeypatch):
    from audio_interaction_ros.errors import MissingDependencyError
    from audio_interaction_ros.monitor.load import load_server
    monkeypatch.setitem(sys.modules, 'aiohttp', None)
    monkeypatch.delitem(sys.modules, 'audio_interaction_ros.monitor.server', raising=False)
    monkeypatch.delattr('audio_interaction_ros.monitor.server', raising=False)
    with pytest.raises(MissingDependencyError, match=r"pip install 'aiohttp>=3.10,<4'"):
        load_server()
