"""A bag as blocks of audio, without ROS: what its messages say is read from the bag itself."""

from pathlib import Path

import numpy as np
import pytest
from rosbags import rosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from audio_interaction_ros.audio.bag import read_bag_blocks
from audio_interaction_ros.errors import AudioFormatError

pytestmark = pytest.mark.unit

KIND = 'audio_interaction_msgs/msg/AudioChunk'
RATE = 16_000


def make_store(kind=KIND):
    store = get_typestore(Stores.ROS2_HUMBLE)
    text = (Path(__file__).parents[2] / 'audio_interaction_msgs/msg/AudioChunk.msg').read_text()
    store.register(get_types_from_msg(text, kind))
    return store


def write_bag(path, storage, messages, kind=KIND, store=None, cut=None):
    """Write messages, those in ``cut`` only up to so many bytes."""
    store = store or make_store()
    writer = rosbag2.Writer(path, version=9, storage_plugin=rosbag2.StoragePlugin[storage])
    with writer:
        connection = writer.add_connection('/mic', kind, typestore=store)
        for index, message in enumerate(messages):
            data = bytes(store.serialize_cdr(message, kind))[:(cut or {}).get(index)]
            writer.write(connection, 10 ** 9 + index * 10 ** 8, data)
    return path


def make_chunks(store, samples, per_chunk=1600):
    chunk, header, time = (store.types[name] for name in (
        KIND, 'std_msgs/msg/Header', 'builtin_interfaces/msg/Time'))
    for index, part in enumerate(samples.reshape(-1, per_chunk)):
        stamp_ns = 10 ** 9 + index * per_chunk * 10 ** 9 // RATE
        yield chunk(header=header(stamp=time(sec=stamp_ns // 10 ** 9, nanosec=stamp_ns % 10 ** 9),
                                  frame_id='mic'), encoding='s16le', sample_rate=RATE,
                    channels=1, frames=per_chunk, seq=index,
                    data=np.frombuffer(part.astype('<i2').tobytes(), np.uint8))


@pytest.mark.parametrize('storage', ['MCAP', 'SQLITE3'])
def test_samples_and_stamps_are_those_of_the_messages(tmp_path, storage):
    store = make_store()
    samples = np.random.default_rng(0).integers(-9000, 9000, 16_000).astype(np.int16)
    path = write_bag(tmp_path / 'bag', storage, make_chunks(store, samples), store=store)
    blocks = list(read_bag_blocks(path))
    assert np.array_equal(np.concatenate([block.samples[:, 0] for block in blocks]), samples)
    assert [block.stamp_ns for block in blocks[:2]] == [10 ** 9, 10 ** 9 + 10 ** 8]
    assert {block.sample_rate_hz for block in blocks} == {RATE}


def test_a_type_that_ros_itself_has_is_stamped_by_its_recording(tmp_path):
    store, kind = get_typestore(Stores.ROS2_HUMBLE), 'std_msgs/msg/Int16MultiArray'
    layout = store.types['std_msgs/msg/MultiArrayLayout'](dim=[], data_offset=0)
    message = store.types[kind](layout=layout, data=np.arange(1600, dtype=np.int16))
    path = write_bag(tmp_path / 'bag', 'MCAP', [message], kind=kind, store=store)
    (block,) = read_bag_blocks(path)
    assert block.samples[:, 0].tolist() == list(range(1600))
    assert block.stamp_ns == 10 ** 9 - 10 ** 8 and block.stamped_on_arrival


def test_a_message_that_cannot_be_read_is_left_out_and_told(tmp_path):
    store, told = make_store(), []
    chunks = list(make_chunks(store, np.ones(16_000, np.int16)))
    chunks[3].encoding, chunks[5].sample_rate = 'mp3', 0
    path = write_bag(tmp_path / 'bag', 'MCAP', chunks, store=store, cut={0: 30, 7: 60})
    assert [round(block.stamp_ns / 1e8) for block in read_bag_blocks(path, warn=told.append)] == [
        11, 12, 14, 16, 18, 19]
    assert len(told) == 1 and '4 messages of audio cannot be read' in told[0]


def test_a_bag_of_which_no_message_can_be_read_is_refused_soon(tmp_path):
    store = make_store()
    chunks = list(make_chunks(store, np.ones(16_000, np.int16), per_chunk=100))
    for chunk in chunks:
        chunk.encoding = 'mp3'
    path = write_bag(tmp_path / 'bag', 'MCAP', chunks, store=store)
    with pytest.raises(AudioFormatError, match='none of 100 can be read: Expected encoding'):
        next(read_bag_blocks(path))


def test_what_is_no_bag_is_refused(tmp_path):
    with pytest.raises(AudioFormatError, match='Expected a rosbag2'):
        next(read_bag_blocks(tmp_path))
