"""Sounds beside the model: events, alerts and evidence, however the audio comes."""

import dataclasses
import json

import numpy as np
import pytest
import yaml
from assistants import LANES, SCRIPT, blocks, noise

from audio_interaction_ros.cli.printer import JsonPrinter, TextPrinter
from audio_interaction_ros.config import AlertsConfig, AssistantConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import SoundStarted
from audio_interaction_ros.taught.folder import add_sound
from audio_interaction_ros.taught.head import TaughtSound

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _profile(tmp_path, monkeypatch):
    """Give the shipped rules thresholds and hits that no training moves."""
    rules = yaml.safe_load(shipped_path('config/alerts.yaml').read_text(encoding='utf-8'))
    rules |= {'default_profile': 'test', 'profiles': {'test': {
        'doorbell': 0.875, 'glass_break': 0.875}}}
    rules['labels']['doorbell']['detect'] = {'hits': 1}
    (tmp_path / 'rules.yaml').write_text(yaml.safe_dump(rules, allow_unicode=True),
                                         encoding='utf-8')
    monkeypatch.setattr(f'{__name__}.RULES', str(tmp_path / 'rules.yaml'))


RULES = ''


def hearing(scores, **alerts):
    """Return an assistant whose chunks sound like this: name -> score of each chunk."""
    chunks = max((len(row) for row in scores.values()), default=0)
    encoder = ScriptedEncoder(sounds={
        number: {name: row[number] if number < len(row) else 0.0 for name, row in scores.items()}
        for number in range(chunks)})
    alerting = AlertsConfig(rules=RULES, **alerts)
    return Assistant(config=AssistantConfig(lanes=LANES, alerts=alerting),
                     encoder=encoder, decoder=ScriptedDecoder(script=SCRIPT),
                     tokenizer=ScriptedTokenizer(), sounds=encoder.head)


BELL = {'doorbell': [0, 0, 0.96875, 0.75], 'glass_break': []}


@pytest.mark.parametrize('size', [1, 333, 6_400, 64_000])
def test_slicing_changes_no_sound_and_no_alert(size):
    samples = noise()
    whole = list(hearing(BELL).listen(blocks(samples, len(samples))))
    assert list(hearing(BELL).listen(blocks(samples, size))) == whole
    assert [type(event).__name__ for event in whole
            if hasattr(event, 'alert') or hasattr(event, 'sound')] == [
        'SoundStarted', 'AlertChange', 'SoundEnded']


def test_a_sound_is_told_before_what_the_model_says_of_its_chunk():
    """Its alert comes right behind it; words of the same label raise none beside the ears."""
    events = list(hearing(BELL).listen(blocks(noise(), 1_600)))
    place = next(i for i, event in enumerate(events) if isinstance(event, SoundStarted))
    start, change = events[place:place + 2]
    assert (start.sound, start.onset_ns, start.stamp_ns) == ('doorbell', 800_000_000,
                                                             1_200_000_000)
    assert (change.alert.label, change.alert.evidence, change.alert.message) == (
        'doorbell', 'sound', 'The doorbell is ringing.')
    assert not any(getattr(event, 'seq', -1) == start.seq for event in events[:place])
    assert sum(hasattr(event, 'alert') for event in events) == 1, 'breaking glass is not heard'


@pytest.mark.parametrize(('evidence', 'labels'), [
    ('sounds', ['doorbell']), ('model', ['glass_break']), ('both', ['doorbell', 'glass_break'])])
def test_evidence_chooses_what_raises_alerts(evidence, labels):
    scores = {'doorbell': BELL['doorbell']}  # a model that does not tell glass apart
    events = list(hearing(scores, evidence=evidence).listen(blocks(noise(), 1_600)))
    assert [event.alert.label for event in events if hasattr(event, 'alert')] == labels


def test_a_taught_sound_is_heard_beside_the_others_and_one_of_another_model_is_named(
        tmp_path, monkeypatch, caplog):
    tmp_path /= 'sounds'
    monkeypatch.setenv('AUDIO_INTERACTION_SOUNDS', str(tmp_path))
    # Of the script's scores, doorbell and glass_break: heard where the first is above 0.7.
    ours = TaughtSound(
        name='our_bell', title='our bell', model_id='scripted',
        basis=np.diag(np.array([1, 0.1], np.float32)), offset=np.array([-0.7, 0], np.float32),
        direction=np.array([1, 0], np.float32), middle=0.5, slope=20.0)
    for sound in (ours, dataclasses.replace(ours, name='other', title='Other', model_id='m'),
                  dataclasses.replace(ours, name='glass_break', title='Glass')):
        add_sound(tmp_path, sound)
    events = list(hearing(BELL).listen(blocks(noise(), 1_600)))
    assert {event.alert.label for event in events if hasattr(event, 'alert')} == {
        'doorbell', 'our_bell'}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and 'glass_break' in said[0] and "'Other'" in said[1]


def test_sounds_are_printed_with_score_and_threshold_and_as_json(capsys):
    one = hearing(BELL)
    for printer in (TextPrinter(one), JsonPrinter()):
        for event in hearing(BELL).listen(blocks(noise(), 1_600)):
            printer.show(event)
    out = capsys.readouterr().out
    threshold = one.session._sounds.rules['doorbell'].threshold
    assert f'0.8 s  sound       doorbell 0.97 (threshold {threshold:.2f})' in out
    records = [json.loads(line) for line in out.splitlines() if line.startswith('{')]
    began, = (record for record in records if record['event'] == 'SoundStarted')
    assert (began['lane'], began['sound'], began['score']) == ('', 'doorbell', 0.96875)
    change, = (record for record in records if record['event'] == 'AlertChange')
    assert (change['evidence'], change['sound'], change['threshold']) == (
        'sound', 'doorbell', threshold)
