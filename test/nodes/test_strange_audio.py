"""Audio as it should not be: what is wrong is named, and the nodes hear on."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Int16MultiArray

from audio_interaction_msgs.msg import AudioChunk
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros


BAD_MESSAGES = {
    'zero length': (AudioChunk(encoding='s16le', sample_rate=16000, channels=1),
                    'whole, positive'),
    'eight bytes': (AudioChunk(encoding='s16le', sample_rate=16000, channels=1, frames=1600,
                               data=[0] * 8), '1600 frames'),
    'odd bytes': (AudioChunk(encoding='s16le', sample_rate=16000, channels=1, data=[0] * 7),
                  '2 bytes'),
    'no channels': (AudioChunk(encoding='s16le', sample_rate=16000, data=[0] * 8), 'channel'),
    'unknown encoding': (AudioChunk(encoding='opus', sample_rate=16000, channels=1), 's16le'),
    'zero rate': (AudioChunk(encoding='s16le', channels=1, frames=4, data=[0] * 8), 'rate'),
}


@pytest.mark.parametrize('name', BAD_MESSAGES)
def test_a_bad_message_is_named_and_the_node_lives(robot, name):
    message, words = BAD_MESSAGES[name]
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    microphone.publish(message)
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input', words), 'named')
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: robot.books(encoder).consumed >= 3, 'the node lives')


def hear(robot, samples, *, times=1, rate=16000, stamps=None):
    """Publish float samples to a new pair of nodes; return the encoder's input statistics."""
    from audio_interaction_ros.audio.block import AudioBlock
    from audio_interaction_ros.nodes.io.audio_messages import audio_message
    robot.decoder()
    encoder = robot.encoder({'audio.silence_warning_s': 0.4})
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    for index in range(times):
        stamp = stamps[index] if stamps else 10 ** 12 + index * len(samples) * 10 ** 9 // rate
        microphone.publish(audio_message(
            AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=stamp), seq=index,
            frame_id='mic'))
    robot.wait(lambda: robot.books(encoder).consumed >= 2, 'chunks are consumed')
    return encoder


def test_nan_and_inf_are_replaced_and_counted(robot):
    samples = np.full(6400, 0.1, np.float32)
    samples[:3] = [np.nan, np.inf, -np.inf]
    encoder = hear(robot, samples, times=3)
    assert encoder._model.pipeline.frontend.stats.nonfinite_samples >= 6


def test_offset_and_clipping_show_in_diagnostics(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    hear(robot, np.tile(np.array([1.0, 0.0], np.float32), 3200), times=3)

    def value(key):
        return float(robot.values(diagnostics, 'encoder_node: audio input').get(key, 0))
    robot.wait(lambda: value('dc_offset') > 0.4, 'offset')
    robot.wait(lambda: value('clipped_samples') > 0, 'clipping')


def test_digital_silence_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    hear(robot, np.zeros(6400, np.float32), times=4)
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input', 'right microphone'),
               'named')


def test_stamps_that_go_backwards_are_counted(robot):
    second = 10 ** 9
    stamps = [start * second + chunk * 400_000_000
              for start, chunks in ((100, 2), (50, 6)) for chunk in range(chunks)]
    encoder = hear(robot, np.full(6400, 0.1, np.float32), times=len(stamps), stamps=stamps)
    robot.wait(lambda: encoder._model.pipeline.frontend.stats.backwards_stamps == 1, 'counted')


def test_a_format_change_mid_stream_is_followed(robot):
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 3)
    robot.tell(microphone, encoder, 3, rate=48000, block=4800)
    robot.wait(lambda: robot.books(encoder).consumed >= 4, 'both are heard')
    assert encoder._model.pipeline.frontend.stats.format_changes == 1


def test_unstamped_arrays_are_heard(robot):
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone(Int16MultiArray)
    robot.listen(encoder, microphone)
    for _ in range(30):
        microphone.publish(Int16MultiArray(data=[100] * 1600))
    robot.wait(lambda: robot.books(encoder).consumed >= 6, 'chunks')


def test_an_audio_publisher_of_another_type_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.microphone(Int16MultiArray)
    robot.encoder({'audio.msg_type': 'audio_interaction_msgs/msg/AudioChunk'})
    robot.decoder()
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input',
                            '/robot/watcher publishes std_msgs/msg/Int16MultiArray'), 'named')


def test_the_format_and_the_rate_of_the_audio_show(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    robot.listen(encoder, microphone)

    def value(key):
        robot.speak(microphone, 1, rate=48000, block=4800)
        return float(robot.values(diagnostics, 'encoder_node: audio input').get(key, 0))
    robot.wait(lambda: value('messages_per_s') > 0, 'rate')
    robot.wait(lambda: (value('sample_rate_hz'), value('channels')) == (48000, 1), 'format')
