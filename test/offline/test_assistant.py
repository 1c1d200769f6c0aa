"""The whole assistant on a scripted model: the same events however the audio comes."""

import pytest
from assistants import Reader, assistant, blocks, noise

from audio_interaction_ros.stream.events import FinalTranscript, Silence

pytestmark = pytest.mark.unit


@pytest.mark.parametrize('size', [1, 333, 6_400, 64_000])
def test_slicing_changes_no_event(size):
    """One sample at a time gives what the whole file at once gives."""
    samples = noise()
    whole = list(assistant().listen(blocks(samples, len(samples))))
    assert list(assistant().listen(blocks(samples, size))) == whole
    # 4 s, then 1.2 s of silence for late decisions: 13 chunks, in each lane one decision each.
    decided = [e for e in whole if isinstance(e, Silence)]
    assert len(decided) == 2 * 13 - 2


def test_replies_become_alerts_and_final_transcripts():
    """The second pass reads the span that the reply answered."""
    one = assistant(Reader())
    events = list(one.listen(blocks(noise(), 1_600)))
    final, = (event for event in events if isinstance(event, FinalTranscript))
    assert (final.text, final.streamed_text, final.language) == (
        '32000 samples', 'good morning', 'en')
    alert, = (event.alert for event in events if hasattr(event, 'alert'))
    assert alert.label == 'glass_break'
    assert (one.stats.replies, one.stats.alerts) == (2, 1)
    assert one.stats.audio_s == pytest.approx(4.0)
