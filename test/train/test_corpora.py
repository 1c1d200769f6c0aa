"""Corpora: the recipe, licences, the generic importer and what it leaves out."""

import json

import numpy as np
import pytest
import soundfile
import yaml

from audio_interaction_ros.errors import ConfigurationError
from train.corpora.audio import Cut, read_16k, store, stored_name
from train.corpora.command import plan_counts
from train.corpora.importers import by_reason, read_folder
from train.corpora.licences import group_of, resolve, write_attribution
from train.corpora.recipe import RECIPE, load_recipe
from train.records import ABILITIES, Clip, RecordError
from train.stages import Rejected, StageError

pytestmark = pytest.mark.unit


def tone(path, seconds=0.25, rate=16000, channels=1, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, np.tile(wave[:, None], (1, channels)), rate, **options)
    return path


def manifest(folder, *rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'manifest.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return folder


# The published table (arXiv 2606.05121), read off independently of the YAML.
PUBLISHED = {'voice_chat': (392198 + 147253, 539), 'asr': (62354 + 86740 + 81647 + 39746, 270),
             'instruction_following': (156732 + 167324 + 14308 + 34274 + 5892 + 108173, 487),
             'audio_understanding': (33154 + 42347 + 171030 + 135753, 382),
             'translation': (198942 + 16826 + 141246, 357),
             'proactive': (27491 + 94503 + 48927, 171),
             'environment_agent': (99946 + 1896 + 13425 + 14328, 130)}


def test_rows_of_the_recipe_add_up_to_what_is_published():
    recipe = load_recipe()
    assert tuple(recipe.abilities) == ABILITIES
    for name, (items, thousands) in PUBLISHED.items():
        ability = recipe.abilities[name]
        assert (ability.items, ability.published_thousands) == (items, thousands)
        assert round(ability.items / 1000) in (thousands, thousands + 1)
    assert recipe.items == 2_336_455
    assert recipe.hours == 9725
    assert sum(row.items for row in recipe.rows if row.source in ('MUSAN', 'WHAM!', 'DNS')) \
        == 29_649


def test_the_tasks_are_28_of_ours_and_say_so():
    recipe = load_recipe()
    assert len(recipe.tasks) == 28
    assert {len(ability.tasks) for ability in recipe.abilities.values()} == {4}
    assert 'sub-tasks are OURS' in RECIPE.read_text()


@pytest.mark.parametrize(('change', 'message'), [
    (lambda v: v.update(mixture=1), "unknown key 'mixture'"),
    (lambda v: v['abilities']['asr'].update(weight=2), "asr: unknown key 'weight'"),
    (lambda v: v['abilities']['asr']['rows'][0].update(items='many'), r'rows\[0\].items'),
    (lambda v: v['abilities'].pop('asr'), 'expected the abilities'),
    (lambda v: v['abilities']['asr']['tasks'].pop('read_speech'), 'expected 28 tasks'),
    (lambda v: v['abilities']['asr']['rows'][0].update(source='Nobody'), "'Nobody' is not under"),
    (lambda v: v['abilities']['asr']['rows'].pop(), 'asr: the rows add up to 230741'),
    (lambda v: v['sources']['MOSS'].update(licence_group='open'), "got 'open'"),
    (lambda v: v['hours_together'][0].update(rows=['FMA']), r"do not exist: \['FMA'\]"),
    (lambda v: v['sources']['MOSS'].pop('url'), 'url'),
])
def test_a_wrong_recipe_is_refused_by_key(tmp_path, change, message):
    values = yaml.safe_load(RECIPE.read_text())
    change(values)
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(ConfigurationError, match=message):
        load_recipe(path)


def test_a_recipe_that_is_no_mapping_or_no_file(tmp_path):
    (tmp_path / 'list.yaml').write_text('- 1')
    for path in (tmp_path / 'list.yaml', tmp_path / 'none.yaml'):
        with pytest.raises(ConfigurationError, match=path.name):
            load_recipe(path)


def test_a_plan_follows_the_published_shares_and_adds_up():
    recipe = load_recipe()
    counts = plan_counts(recipe, 1000)
    assert sum(counts.values()) == 1000
    chat = sum(count for (ability, _), count in counts.items() if ability == 'voice_chat')
    assert chat == pytest.approx(1000 * 539451 / 2336455, abs=2)
    free = plan_counts(recipe, 1000, ('non_commercial', 'unstated', 'share_alike'))
    assert sum(free.values()) == 1000
    assert free['proactive', 'safety_signal'] == 0  # all its sources are restricted
    with pytest.raises(StageError, match='exclude fewer'):
        plan_counts(recipe, 10, ('free', 'non_commercial', 'unstated', 'share_alike'))


@pytest.mark.parametrize(('licence', 'group'), [
    ('CC0-1.0', 'free'), ('CC-BY-4.0', 'free'), ('Public domain', 'free'), ('MIT', 'free'),
    ('BSD-3-Clause', 'free'), ('Apache-2.0', 'free'), ('CC-BY-SA-3.0', 'share_alike'),
    ('http://creativecommons.org/licenses/by-sa/3.0/', 'share_alike'), ('GPL-2+', 'share_alike'),
    ('LGPL-3.0+', 'share_alike'), ('ODbL-1.0 (database)', 'share_alike'),
    ('CC-BY-NC-4.0', 'non_commercial'), ('CC BY-NC-SA 4.0', 'non_commercial'),
    ('Attribution-NonCommercial-NoDerivatives 4.0', 'non_commercial'),
    ('https://creativecommons.org/licenses/by/4.0/', 'free'), ('CC-BY-ND-4.0', 'unstated'),
    ('Attribution-NoDerivatives', 'unstated'), ('', 'unstated'), ('ask me', 'unstated'),
    ('All rights reserved', 'unstated')])
def test_groups_of_licences(licence, group):
    assert group_of(licence) == group


def test_a_stated_group_counts_unless_the_licence_forbids_it():
    assert resolve('terms of the maker', 'free') == 'free'
    assert resolve('CC-BY-NC-4.0', 'free') == 'non_commercial'
    assert resolve('', None) == 'unstated'
    with pytest.raises(RecordError, match=r"got \['gratis'\]"):
        resolve('CC0-1.0', 'gratis')


def test_every_recipe_source_is_in_its_own_group_or_a_stricter_one():
    strict = ('free', 'share_alike', 'non_commercial', 'unstated')
    for name, source in load_recipe().sources.items():
        if 'terms' in source.licence or 'track' in source.licence or name == 'DNS':
            continue
        assert strict.index(source.licence_group) >= strict.index(group_of(source.licence)) \
            or group_of(source.licence) == 'unstated', name


def test_a_manifest_becomes_clips(tmp_path):
    tone(tmp_path / 'sounds/bell.wav', 0.5)
    tone(tmp_path / 'hi.flac', 0.3, rate=44100, channels=2)
    manifest(tmp_path,
             {'path': 'sounds/bell.wav', 'label': 'bell', 'licence': 'CC0-1.0', 'seconds': 0.5,
              'author': 'A', 'fold': 3, 'source_id': 'x:1'},
             {'audio_filepath': 'hi.flac', 'text': 'hi', 'lang': 'en', 'sampling_rate': 44100,
              'license': 'CC-BY-SA-4.0', 'license_group': 'share_alike', 'duration': 0.3,
              'id': 'hi', 'tags': ['a', 'b'], 'generated': True})
    clips, rejections = read_folder(tmp_path, defaults={'source': 'mine'})
    assert rejections == []
    assert clips[0] == Clip(
        id='sounds/bell', path=str(tmp_path / 'sounds/bell.wav'), seconds=0.5, label='bell',
        licence='CC0-1.0', licence_group='free', author='A', source='mine', source_id='x:1')
    assert (clips[1].id, clips[1].language, clips[1].licence_group, clips[1].tags,
            clips[1].generated) == ('hi', 'en', 'share_alike', ('a', 'b'), True)


def test_what_cannot_be_used_is_counted_with_its_reason(tmp_path):
    tone(tmp_path / 'ok.wav')
    tone(tmp_path / 'empty.wav', 0)
    (tmp_path / 'noise.wav').write_bytes(b'not audio at all')
    bad = {'missing': {'path': 'gone.wav'}, 'unreadable': {'path': 'noise.wav'},
           'zero length': {'path': 'empty.wav'},
           'wrong rate in the manifest': {'path': 'ok.wav', 'sample_rate': 44100},
           'wrong length in the manifest': {'path': 'ok.wav', 'seconds': 3.0},
           'path outside the folder': {'path': '../ok.wav'},
           'seconds is not a number': {'path': 'ok.wav', 'seconds': 'long'},
           'licence group unstated excluded': {'path': 'ok.wav', 'licence': 'ask me'}}
    ok = {'path': 'ok.wav', 'licence': 'CC0-1.0'}
    clips, rejections = read_folder(manifest(tmp_path, *bad.values(), ok, ok),
                                    exclude_groups=['unstated'])
    assert [clip.id for clip in clips] == ['ok']
    assert by_reason(rejections) == dict.fromkeys([*bad, 'id twice'], 1)


@pytest.mark.parametrize(('line', 'message'), [
    ('{"path": ', 'manifest.jsonl:1: not JSON'), ('[1]', 'expected an object with a path'),
    ('{"label": "x"}', 'expected an object with a path'), ('{"path": 3}', 'with a path')])
def test_a_manifest_that_is_none_names_its_line(tmp_path, line, message):
    (tmp_path / 'manifest.jsonl').write_text(line + '\n')
    with pytest.raises(RecordError, match=message):
        read_folder(tmp_path)


def test_a_missing_manifest_and_an_unknown_group_are_errors(tmp_path):
    with pytest.raises(RecordError, match='Expected manifest.jsonl'):
        read_folder(tmp_path)
    with pytest.raises(RecordError, match=r"got \['non-commercial'\]"):
        read_folder(manifest(tmp_path), exclude_groups=['non-commercial'])
    tone(tmp_path / 'a.wav')
    with pytest.raises(RecordError, match=r"got \['open'\]"):
        read_folder(manifest(tmp_path, {'path': 'a.wav', 'licence_group': 'open'}))


def test_attribution_names_each_recording_once(tmp_path):
    clips = [Clip(id=str(i), path='a', seconds=1800, source='S', licence='CC-BY-4.0', title='T',
                  licence_group='free', author='Ann', url='http://x', source_id='x:1')
             for i in range(2)] + [Clip(id='3', path='b', seconds=1)]
    assert write_attribution(tmp_path / 'A.md', clips)['free'] == 2
    text = (tmp_path / 'A.md').read_text()
    assert '## S: CC-BY-4.0\n\n2 clips, 1.00 hours, licence group free.' in text
    assert text.count('- "T" by Ann http://x (x:1)') == 1
    assert '## source not stated: licence not stated' in text


def test_a_stored_clip_is_16_khz_mono_whatever_it_was(tmp_path):
    path = tone(tmp_path / 'in.wav', 1.0, rate=48000, channels=2, subtype='FLOAT')
    clip = Clip(id='a/b c', path=str(path), seconds=1.0)
    made = store(Cut(id=clip.id, clip=clip, sample_rate_hz=48000), tmp_path / 'out')
    info = soundfile.info(tmp_path / 'out' / made.path)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (16000, 1, 16000,
                                                                           'PCM_16')
    assert made.seconds == 1.0
    level = np.sqrt(np.mean(read_16k(tmp_path / 'out' / made.path)[2000:-2000] ** 2))
    assert level == pytest.approx(0.3 / np.sqrt(2), rel=0.01)


def test_a_part_of_a_recording_is_cut_to_the_sample(tmp_path):
    ramp = np.arange(32000) / 40000
    soundfile.write(tmp_path / 'long.wav', ramp, 16000, subtype='FLOAT')
    cut = Cut(id='part', whole=False, offset_s=0.5,
              clip=Clip(id='part', path=str(tmp_path / 'long.wav'), seconds=0.25))
    made = store(cut, tmp_path)
    assert made.seconds == 0.25
    np.testing.assert_allclose(read_16k(tmp_path / made.path), ramp[8000:12000], atol=1e-4)


def test_a_part_behind_the_end_or_without_numbers_is_left_out(tmp_path):
    path = tone(tmp_path / 'a.wav', 0.5)
    late = Cut(id='x', whole=False, offset_s=2.0, clip=Clip(id='x', path=str(path), seconds=1.0))
    assert store(late, tmp_path).reason == 'wrong length in the manifest'
    nothing = Cut(id='x', whole=False, clip=Clip(id='x', path=str(path), seconds=0.0))
    assert store(nothing, tmp_path).reason == 'zero length'
    soundfile.write(tmp_path / 'nan.wav', np.full(100, np.nan), 16000, subtype='FLOAT')
    nan = Cut(id='n', clip=Clip(id='n', path=str(tmp_path / 'nan.wav'), seconds=0.0))
    assert store(nan, tmp_path) == Rejected('not finite', 'nan.wav')


def test_names_of_stored_clips_are_unique_and_short():
    assert stored_name('a/b') != stored_name('a_b')
    assert len(stored_name('x' * 5000)) < 120
    assert '..' not in stored_name('../../etc/passwd')
