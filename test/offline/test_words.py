"""Words while they are spoken: the same however the audio comes, and before any lane writes."""

import pytest
import whisper_stand_in
from assistants import LANES, SCRIPT, blocks, noise

from audio_interaction_ros.config import AddressConfig, AssistantConfig, TranscriptConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import (
    FinalReply,
    FinalTranscript,
    PartialTranscript,
    ReplyText,
)

pytestmark = pytest.mark.unit


def test_words_that_are_read_are_final_before_any_lane_writes_and_one_lane_only_says_when():
    """The lane of transcripts ends the utterance; a text of its own costs nothing."""
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(second_pass='whisper'))
    one = Assistant(config=config, encoder=ScriptedEncoder(),
                    decoder=ScriptedDecoder(script={0: SCRIPT[0], 1: {4: SCRIPT[1][6]}}),
                    tokenizer=ScriptedTokenizer(),
                    second_pass=whisper_stand_in.Whisper('Go to the kitchen.'))
    events = list(one.listen(blocks(noise(2.0), 1_600)))
    finals = [event for event in events if isinstance(event, FinalTranscript)]
    assert [(final.text, final.ended_by) for final in finals] == [('Go to the kitchen.', 'model')]
    assert finals[0].utterance_id, 'it ends the words that were shown'
    written = [event for event in events if isinstance(event, ReplyText)]
    assert {event.lane for event in written} == {'assistant'}
    answer = next(event for event in events if isinstance(event, FinalReply))
    assert events.index(finals[0]) < events.index(answer) < events.index(written[0])
    assert answer.intent == 'go'


@pytest.mark.parametrize(('said', 'labels'), [
    ('Help! Somebody help me!', ['help_call']),
    ("I've fallen and I can't get up.", ['help_call']), ('救命啊！', ['help_call']),
    ('Can you help me with the dishes?', []), ('I could not help it.', []),
    ('He shouted for help.', []), ('Do not help me.', []), ('你能帮我洗碗吗？', [])])
def test_a_call_for_help_is_an_alert_before_its_answer_and_talk_of_help_is_none(said, labels):
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(second_pass='whisper'),
                             assistant=AddressConfig(address='name', names='Rosie'))
    one = Assistant(config=config, encoder=ScriptedEncoder(),
                    decoder=ScriptedDecoder(script={0: {4: SCRIPT[0][4]}}),
                    tokenizer=ScriptedTokenizer(), second_pass=whisper_stand_in.Whisper(said))
    events = list(one.listen(blocks(noise(2.0), 1_600)))
    alerts = [event.alert for event in events if hasattr(event, 'alert')]
    assert [alert.label for alert in alerts] == labels
    kinds = [type(event).__name__ for event in events
             if hasattr(event, 'alert') or isinstance(event, FinalReply)]
    assert kinds == ['AlertChange', 'FinalReply'] * len(labels)
    assert [(alert.evidence, alert.severity.name) for alert in alerts] == [
        ('words', 'CRITICAL')] * len(labels)


def spoken():
    """Return speech of 1.3 s, 0.9 s of silence and speech again, as the stand-in hears it."""
    samples = noise(6.0)
    samples[20_480:35_200] = 0.0
    samples[60_000:] = 0.0
    return samples


def hear_words(size, samples):
    """Return the words of samples that came in blocks of a size, and all events."""
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(
        second_pass='whisper', end_silence_ms=700.0, end_unfinished_ms=700.0))
    one = Assistant(config=config, encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
                    decoder=ScriptedDecoder(script={0: {9: SCRIPT[0][4]}}),
                    second_pass=whisper_stand_in.ClosingWhisper())
    events = list(one.listen(blocks(samples, size)))
    return [event for event in events if isinstance(event, PartialTranscript | FinalTranscript)
            ], events


@pytest.mark.parametrize('size', [160, 333, 3_200, 6_400, 7_000])
def test_slicing_changes_no_word_while_it_is_spoken(size):
    """Neither what is read, nor up to where it was heard, nor what a lane makes of it."""
    samples = spoken()
    words, whole = hear_words(len(samples), samples)
    assert hear_words(size, samples)[1] == whole
    finals = [event for event in words if isinstance(event, FinalTranscript)]
    assert [final.ended_by for final in finals] == ['silence', 'model']
    assert finals[0].stamp_ns == 2_000_000_000, 'half a chunk before its chunk is over'
    assert {event.stamp_ns % 400_000_000 for event in words} == {0, 200_000_000}


def test_words_come_with_their_part_and_not_only_with_its_chunk():
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(second_pass='whisper'))
    one = Assistant(config=config, encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
                    decoder=ScriptedDecoder(script={}), second_pass=whisper_stand_in.Whisper())
    samples, heard = noise(2.0), []
    samples[:3_200] = 0.0

    def listened():
        for block in blocks(samples, 3_200):
            heard.append(block)
            yield block
    first = next(event for event in one.listen(listened()) if isinstance(event, PartialTranscript))
    assert (first.stamp_ns, len(heard)) == (600_000_000, 3), 'its chunk is not whole yet'
