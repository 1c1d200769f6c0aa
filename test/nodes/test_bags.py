"""Bags as they are found: a folder, one of its files, without metadata, cut, or telling lies."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rosbags.rosbag2', reason='rosbags is not installed')

from rclpy.serialization import serialize_message
from rosbags import rosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.io.bag import is_bag, read_bag

pytestmark = pytest.mark.ros
KIND = 'audio_interaction_msgs/msg/AudioChunk'
COUNT = 40


@pytest.fixture(params=['mcap', 'sqlite3', 'mcap-file', 'sqlite3-file', 'mcap-message'])
def bag(request, tmp_path):
    """Return a folder with 40 messages on one topic: plain, or compressed."""
    storage, _, mode = request.param.partition('-')
    return written(tmp_path / 'bag', storage, mode)


def written(path, storage='mcap', mode='', topics=('/microphone',)):
    store = get_typestore(Stores.ROS2_HUMBLE)
    text = (Path(__file__).parents[2] / 'audio_interaction_msgs/msg/AudioChunk.msg').read_text()
    store.register(get_types_from_msg(text, KIND))
    writer = rosbag2.Writer(path, version=9, storage_plugin=rosbag2.StoragePlugin[storage.upper()])
    if mode:
        writer.set_compression(rosbag2.CompressionMode[mode.upper()],
                               rosbag2.CompressionFormat.ZSTD)
    noise = np.random.default_rng(0)
    with writer:
        for topic in topics:
            connection = writer.add_connection(topic, KIND, typestore=store)
            for index in range(COUNT):
                samples = noise.integers(-9000, 9000, 1600).astype(np.int16)
                block = AudioBlock(samples=samples, sample_rate_hz=16_000, stamp_ns=index)
                writer.write(connection, index * 10 ** 8, serialize_message(
                    audio_message(block, seq=index, frame_id='mic')))
    return path


def storage_of(bag):
    return next(file for file in bag.iterdir() if file.name != 'metadata.yaml')


def played(path, topic=''):
    told = []
    return [message.stamp_ns for message in read_bag(path, topic, warn=told.append)], told


def test_a_folder_is_played(bag):
    stamps, told = played(bag)
    assert (stamps, told) == ([index * 10 ** 8 for index in range(COUNT)], [])


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_one_file_of_a_bag_is_played(tmp_path, storage):
    lone = tmp_path / 'elsewhere' / storage_of(written(tmp_path / 'bag', storage)).name
    lone.parent.mkdir()
    shutil.move(tmp_path / 'bag' / lone.name, lone)
    assert is_bag(lone)
    stamps, told = played(lone)
    assert (len(stamps), told) == (COUNT, [])


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('metadata', [None, '', '{', 'rosbag2_bagfile_information: {version: 9}',
                                      'rosbag2_bagfile_information: []'])
def test_a_folder_without_good_metadata_is_played_and_said_to_be(tmp_path, storage, metadata):
    bag = written(tmp_path / 'bag', storage)
    (bag / 'metadata.yaml').unlink()
    if metadata is not None:
        (bag / 'metadata.yaml').write_text(metadata)
    stamps, told = played(bag)
    assert len(stamps) == COUNT
    assert len(told) == 1 and 'metadata.yaml' in told[0]


def test_metadata_that_counts_wrongly_is_told(tmp_path):
    bag = written(tmp_path / 'bag')
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace(
        f'message_count: {COUNT}', f'message_count: {COUNT + 1}'))
    stamps, told = played(bag)
    assert len(stamps) == COUNT and f'expected {COUNT + 1} messages' in told[0]


def cut(share):
    return lambda data: data[:int(len(data) * share)]


def make_hole(data):
    middle = len(data) // 2
    return data[:middle] + b'\xa5' * 2000 + data[middle + 2000:]


@pytest.mark.parametrize('harm', [*map(cut, (0, 0.001, 0.3, 0.9, 0.999)), make_hole])
def test_a_bag_that_was_cut_or_has_a_hole_is_played_in_part_or_named(bag, harm):
    storage = storage_of(bag)
    storage.write_bytes(harm(storage.read_bytes()))
    try:
        stamps, told = played(bag)
    except AudioFormatError as error:
        assert str(bag) in str(error) and '\n' not in str(error)
    else:
        assert len(stamps) == COUNT or told


def test_messages_that_are_compressed_without_a_word_are_named(tmp_path):
    bag = written(tmp_path / 'bag', 'sqlite3', 'message')
    (bag / 'metadata.yaml').unlink()
    with pytest.raises(AudioFormatError, match='perhaps compressed'):
        played(bag)


@pytest.mark.parametrize(('make', 'named'), [
    (lambda path: path.mkdir(), 'none or damaged'),
    (lambda path: path.with_suffix('.mcap').write_bytes(b'text'), 'none or damaged'),
    (lambda path: path.with_suffix('.db3').write_bytes(b'text' * 999), 'none or damaged'),
    (lambda path: None, 'none or damaged')])
def test_what_is_no_bag_is_named(tmp_path, make, named):
    make(tmp_path / 'x')
    found = next(iter(tmp_path.iterdir()), tmp_path / 'x.mcap')
    with pytest.raises(AudioFormatError, match=named):
        played(found)


def test_of_several_topics_one_must_be_chosen(tmp_path):
    bag = written(tmp_path / 'bag', topics=('/left', '/right'))
    with pytest.raises(AudioFormatError, match='/left, /right; name one'):
        played(bag)
    assert len(played(bag, '/right')[0]) == COUNT
    with pytest.raises(AudioFormatError, match='audio topic /middle'):
        played(bag, '/middle')
