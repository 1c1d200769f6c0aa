"""Messages that no node of this package would send."""

import pytest

from audio_interaction_msgs.msg import EncodedChunk, FifoCredit
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros

DECODE = 'decoder_node: decode'


@pytest.mark.parametrize(('fields', 'words'), [
    ({'dtype': 'float32', 'shape': [2, 4], 'data': bytes(31)}, '32 bytes'),
    ({'dtype': 'float32', 'shape': [2, 4], 'data': b''}, '32 bytes'),
    ({'dtype': 'float32', 'shape': [8], 'data': bytes(32)}, '[features, width]'),
    ({'dtype': 'object', 'shape': [2, 4], 'data': bytes(32)}, 'object'),
    ({'dtype': 'float32', 'shape': [2 ** 31, 2 ** 31], 'data': bytes(8)}, 'bytes'),
    ({'dtype': 'float32', 'shape': [2, 4], 'data': bytes(32), 'model_id': 'other'}, 'other')])
def test_a_damaged_chunk_is_refused_counted_and_named(witness, fields, words):
    witness.start()
    witness.speak(4)
    witness.everything_accounted()
    publisher = witness.robot.watcher.create_publisher(EncodedChunk, 'encoded',
                                                       qos.encoded_profile(4))
    witness.robot.wait(lambda: publisher.get_subscription_count() > 0, 'the decoder hears it')
    publisher.publish(EncodedChunk(**{'model_id': 'scripted', 'epoch': 1, **fields}))
    witness.robot.wait(lambda: witness.says(DECODE, words), 'named')
    assert int(witness.value(DECODE, 'refused')) == 1
    witness.robot.watcher.destroy_publisher(publisher)
    witness.hears_on()
    witness.everything_accounted()


def test_credit_out_of_nowhere_hurts_no_count(witness):
    witness.start()
    publisher = witness.robot.watcher.create_publisher(FifoCredit, 'encoded/credit', qos.CREDIT)
    witness.robot.wait(lambda: publisher.get_subscription_count() > 0, 'the encoder hears it')
    for epoch, consumed in ((witness.encoder._epoch, 2 ** 40), (0, 7), (2 ** 32 - 1, 2 ** 64 - 1)):
        publisher.publish(FifoCredit(epoch=epoch, consumed_seq=consumed))
    witness.robot.watcher.destroy_publisher(publisher)
    witness.hears_on(lost=2)  # another consumer: what was under way to the one before counts lost
    sent = witness.everything_accounted()
    assert sent.consumed <= sent.offered
