"""Clips in lhotse and back; tiny copies of each corpus in its published layout."""

import argparse
import csv
import gzip
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.errors import MissingDependencyError
from train.corpora import command
from train.corpora.adapters import read_audioset, read_covost2, read_dns, read_fma, to_snake_case
from train.corpora.audio import read_16k
from train.corpora.dialogues import Dialogue
from train.corpora.intake import IMPORTERS, import_corpus
from train.corpora.lhotse_recipes import read_lhotse
from train.corpora.recipe import load_recipe
from train.corpora.release import card_row, online_row, read_release
from train.corpora.store import (
    clip_from_cut,
    open_manifests,
    pack_shar,
    save_manifests,
    unpack_shar,
)
from train.records import Clip, Event, Lane, Reply, Stream, read_records, write_records
from train.stages import StageError, read_stage

pytestmark = pytest.mark.unit

QUIET = {'workers': 0, 'progress': False}


def tone(path, seconds=0.25, rate=16000, pitch=440, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, wave, rate, **options)
    return path


def clips_in(folder, count=5):
    clips = [Clip(id=f'c/{i}', path=f'{i}.flac', seconds=0.25 + i / 16, label='bell',
                  tags=('a', 'b'), text='ding' if i else '', language='en' if i else '',
                  licence='CC0-1.0', licence_group='free', generated=i == 2, author='A')
             for i in range(count)]
    for i, clip in enumerate(clips):
        tone(folder / clip.path, clip.seconds, pitch=300 + 100 * i)
    return clips


def test_clips_come_back_from_manifests(tmp_path):
    clips = clips_in(tmp_path)
    assert save_manifests(clips, tmp_path / 'm', tmp_path) == 5
    assert {path.name for path in (tmp_path / 'm').iterdir()} == {
        'recordings.jsonl.gz', 'supervisions.jsonl.gz', 'cuts.jsonl.gz'}
    expected = [Clip(**{**vars(clip), 'path': str(tmp_path / clip.path)}) for clip in clips]
    assert [clip_from_cut(cut) for cut in open_manifests(tmp_path / 'm')] == expected
    (tmp_path / 'm/cuts.jsonl.gz').unlink()
    assert {cut.supervisions[0].text for cut in open_manifests(tmp_path / 'm')} == {None, 'ding'}


def test_clips_come_back_from_shar_with_the_same_samples(tmp_path):
    clips = clips_in(tmp_path)
    assert pack_shar(clips, tmp_path / 'shar', root=tmp_path, shard_size=2) == 5
    assert len(list((tmp_path / 'shar').glob('recording.*.tar'))) == 3
    back = list(unpack_shar(tmp_path / 'shar', tmp_path / 'out'))
    assert [Clip(**{**vars(clip), 'path': ''}) for clip in back] \
        == [Clip(**{**vars(clip), 'path': ''}) for clip in clips]
    for clip, original in zip(back, clips, strict=True):
        np.testing.assert_array_equal(read_16k(tmp_path / 'out' / clip.path),
                                      read_16k(tmp_path / original.path))


def test_folders_without_manifests_or_shar_are_named(tmp_path):
    with pytest.raises(StageError, match='Expected cuts.jsonl.gz or recordings'):
        open_manifests(tmp_path)
    with pytest.raises(StageError, match='Expected cuts.000000.jsonl.gz'):
        list(unpack_shar(tmp_path, tmp_path / 'out'))


def librispeech(folder):
    for number in (0, 1):
        tone(folder / f'dev-clean/84/121/84-121-000{number}.flac')
    (folder / 'dev-clean/84/121/84-121.trans.txt').write_text(
        '84-121-0000 GO DO YOU HEAR\n84-121-0001 BUT\n84-121-0009 NO FILE\n')
    return {'librispeech/84-121-0000': ('GO DO YOU HEAR', 'en', '84'),
            'librispeech/84-121-0001': ('BUT', 'en', '84')}


def commonvoice(folder):
    for number in (1, 2, 3):
        tone(folder / f'en/clips/common_voice_en_{number}.mp3', 0.5, rate=48000, format='MP3')
    head = 'client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tvariant\t' \
           'locale\tsegment\n'
    for number, part in enumerate(('train', 'dev', 'test'), start=1):
        (folder / f'en/{part}.tsv').write_text(
            f'{head}abc\tcommon_voice_en_{number}.mp3\tA "quote.\t2\t0\t\t\t\t\ten\t\n')
    return {f'commonvoice/common_voice_en_{i}': ('A "quote.', 'en', 'abc') for i in (1, 2, 3)}


def aishell(folder):
    names = {'train': 'BAC009S0002W0122', 'dev': 'BAC009S0724W0121', 'test': 'BAC009S0764W0121'}
    for part, name in names.items():
        tone(folder / f'data_aishell/wav/{part}/{name[6:11]}/{name}.wav')
    transcripts = folder / 'data_aishell/transcript/aishell_transcript_v0.8.txt'
    transcripts.parent.mkdir(parents=True)
    transcripts.write_text(''.join(f'{name} 而 对 楼市\n' for name in names.values()),
                           encoding='utf-8')
    return {f'aishell/{name}': ('而对楼市', 'zh', name[6:11]) for name in names.values()}


def voxpopuli(folder):
    for name in ('20090112-0900', '20100112-0900', '20110112-0900'):
        tone(folder / f'raw_audios/en/{name[:4]}/{name}_en.ogg', 2.0, format='OGG')
    with gzip.open(folder / 'asr_en.tsv.gz', 'wt') as file:
        file.write('session_id|id_|original_text|normed_text|speaker_id|split|gender|is_gold|'
                   'start_time|end_time\n')
        file.write('20090112-0900|x|Yes.|yes|7|train|f|0|0.25|0.75\n')
        file.write('20090112-0900|y|No.|no|8|train|m|0|1.0|1.5\n')
        file.write('20100112-0900|z|No.|no|8|dev|m|0|0.0|2.0\n')
        file.write('20110112-0900|z|No.|no|8|test|m|0|0.5|1.5\n')
    return {'voxpopuli/20090112-0900-1': ('yes', 'en', '7'),
            'voxpopuli/20090112-0900-2': ('no', 'en', '8'),
            'voxpopuli/20100112-0900-1': ('no', 'en', '8'),
            'voxpopuli/20110112-0900-1': ('no', 'en', '8')}


def musan(folder):
    for kind in ('music', 'speech', 'noise'):
        tone(folder / kind / 'fma' / f'{kind}-fma-0000.wav')
    (folder / 'music/fma/ANNOTATIONS').write_text('music-fma-0000 baroque N Anna\n')
    return {f'musan/{kind}-fma-0000': ('', '', 'Anna' if kind == 'music' else '')
            for kind in ('music', 'speech', 'noise')}


def wham(folder):
    for part in ('tr', 'cv', 'tt'):
        tone(folder / part / f'{part}_01.wav')
    return {f'wham/{part}_01': ('', '', '') for part in ('tr', 'cv', 'tt')}


@pytest.mark.parametrize('make', [librispeech, commonvoice, aishell, voxpopuli, musan, wham])
def test_a_corpus_through_lhotse_s_recipe(tmp_path, make, caplog, monkeypatch):
    caplog.set_level(logging.ERROR)
    # Its recipe starts a process per split, each of which takes seconds to import lhotse.
    monkeypatch.setattr('lhotse.recipes.commonvoice.ProcessPoolExecutor',
                        lambda max_workers, mp_context: ThreadPoolExecutor(max_workers))
    name, folder = make.__name__, tmp_path / 'copy'
    expected = make(folder)
    report = import_corpus(name, folder, tmp_path / 'out', **QUIET)
    clips = list(read_stage(Path(report.folder), Clip))
    assert {clip.id: (clip.text, clip.language, clip.speaker) for clip in clips} == expected
    recipe = load_recipe()
    source, = (key for key, value in recipe.sources.items() if value.importer == name)
    assert {(clip.source, clip.licence_group) for clip in clips} == {
        (source, recipe.sources[source].licence_group)}
    for clip in clips:
        info = soundfile.info(Path(report.folder) / clip.path)
        assert (info.samplerate, info.frames / 16000) == (16000, clip.seconds)


def test_segments_of_a_long_recording_are_cut_out(tmp_path):
    voxpopuli(tmp_path / 'copy')
    cuts = list(read_lhotse('voxpopuli', tmp_path / 'copy', tmp_path / 'm'))
    assert [(cut.clip.tags, cut.whole, cut.offset_s, cut.clip.seconds) for cut in cuts] == [
        (('dev',), True, 0.0, 2.0), (('test',), False, 0.5, 1.0), (('train',), False, 0.25, 0.5),
        (('train',), False, 1.0, 0.5)]
    assert cuts[2].clip.source_id == cuts[3].clip.source_id == 'voxpopuli:20090112-0900'


def test_labels_of_noises(tmp_path):
    musan(tmp_path / 'musan')
    assert {cut.clip.label for cut in read_lhotse('musan', tmp_path / 'musan', tmp_path / 'm')
            } == {'music', 'speech', 'noise'}
    parts = read_lhotse('musan', tmp_path / 'musan', tmp_path / 'm2', parts=('noise',))
    assert [cut.id for cut in parts] == ['musan/noise-fma-0000']


def test_a_folder_that_is_not_the_corpus_is_named_with_what_is_expected(tmp_path):
    (tmp_path / 'copy').mkdir()
    for name, expected in (('librispeech', 'train-clean-100/'), ('voxpopuli', 'asr_en.tsv.gz'),
                           ('aishell', 'data_aishell/'), ('musan', 'noise/')):
        with pytest.raises(StageError, match=expected):
            list(read_lhotse(name, tmp_path / 'copy', tmp_path / 'm'))
    with pytest.raises(StageError, match='not a folder'):
        list(read_lhotse('wham', tmp_path / 'none', tmp_path / 'm'))


def test_gigaspeech_names_the_library_that_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr('lhotse.recipes.gigaspeech.is_module_available', lambda *_: False)
    with pytest.raises(MissingDependencyError, match='pip install speechcolab'):
        list(read_lhotse('gigaspeech', tmp_path, tmp_path / 'm'))


def test_gigaspeech(tmp_path):
    pytest.importorskip('speechcolab')
    tone(tmp_path / 'copy/audio/podcast/P0/POD0000000001.opus', 2.0, format='OGG',
         subtype='OPUS')
    segments = [{'sid': f'POD0000000001_S000000{i}', 'begin_time': i * 0.5, 'speaker': 'N/A',
                 'end_time': i * 0.5 + 0.5, 'text_tn': f'WORD {i}', 'subsets': ['{XL}']}
                for i in range(2)]
    (tmp_path / 'copy/GigaSpeech.json').write_text(json.dumps({'audios': [{
        'aid': 'POD0000000001', 'path': 'audio/podcast/P0/POD0000000001.opus', 'channels': 1,
        'sample_rate': 16000, 'duration': 2.0, 'subsets': ['{XL}'], 'segments': segments}]}))
    cuts = list(read_lhotse('gigaspeech', tmp_path / 'copy', tmp_path / 'm', parts=('XL',)))
    assert [(cut.clip.text, cut.offset_s, cut.clip.seconds) for cut in cuts] == [
        ('WORD 0', 0.0, 0.5), ('WORD 1', 0.5, 0.5)]


def covost2(folder):
    tone(folder / 'clips/common_voice_en_1.mp3', 0.5, rate=48000, format='MP3')
    (folder / 'covost_v2.en_zh-CN.train.tsv').write_text(
        'path\tsentence\ttranslation\tclient_id\n'
        'common_voice_en_1.mp3\tHe said "no.\t他说不。\tabc\n'
        'common_voice_en_2.mp3\tgone\t没了\tabc\n', encoding='utf-8')


def test_covost2(tmp_path):
    covost2(tmp_path)
    cut, gone = read_covost2(tmp_path)
    assert (cut.clip.text, cut.clip.translation, cut.clip.language, cut.clip.tags) == (
        'He said "no.', '他说不。', 'en', ('en-zh', 'train'))
    assert gone.id == 'covost2/en-zh/common_voice_en_2'


def test_audioset(tmp_path):
    tone(tmp_path / 'audio/Y--aE2O5G5WE_30.flac', 1.0)
    tone(tmp_path / 'audio/-0SdAVK79lg.wav', 1.0)
    tone(tmp_path / 'audio/-05_30000_40000.wav', 1.0)
    (tmp_path / 'class_labels_indices.csv').write_text(
        'index,mid,display_name\n393,/m/01y3hg,"Smoke detector, smoke alarm"\n0,/m/09x0r,Speech\n')
    (tmp_path / 'eval_segments.csv').write_text(
        '# Segments csv created\n# num_ytids=3\n# YTID, start_seconds, end_seconds, labels\n'
        '-0SdAVK79lg, 30.000, 40.000, "/m/01y3hg,/m/09x0r"\n'
        '-05, 30.000, 40.000, "/m/09x0r"\nnothere, 0.000, 10.000, "/m/09x0r"\n')
    cuts = list(read_audioset(tmp_path))
    assert [Path(cut.clip.path).name for cut in cuts] == [
        '-0SdAVK79lg.wav', '-05_30000_40000.wav', 'nothere.wav']
    assert cuts[0].clip.label == 'smoke_detector'
    assert cuts[0].clip.tags == ('Smoke detector, smoke alarm', 'Speech', 'eval')
    assert cuts[0].clip.licence_group == 'unstated'


def test_fma_takes_the_licence_of_each_track(tmp_path):
    tone(tmp_path / 'fma_small/000/000002.mp3', 0.5, rate=44100, format='MP3')
    (tmp_path / 'fma_metadata').mkdir()
    with (tmp_path / 'fma_metadata/tracks.csv').open('w', newline='') as file:
        csv.writer(file).writerows([
            ['', 'artist', 'track', 'track', 'track'],
            ['', 'name', 'genre_top', 'license', 'title'], ['track_id', '', '', '', ''],
            [2, 'AWOL', 'Hip-Hop', 'Attribution-NonCommercial-ShareAlike 3.0', 'Food'],
            [3, 'AWOL', 'Hip-Hop', 'Attribution', 'Not in this subset']])
    cut, = read_fma(tmp_path)
    assert (cut.clip.author, cut.clip.title, cut.clip.licence_group, cut.clip.tags) == (
        'AWOL', 'Food', 'non_commercial', ('Hip-Hop',))


def test_dns(tmp_path):
    tone(tmp_path / 'datasets_fullband/noise_fullband/door.wav', rate=48000)
    tone(tmp_path / 'datasets_fullband/clean_fullband/speech.wav', rate=48000)
    cut, = read_dns(tmp_path)
    assert (cut.id, cut.clip.label) == ('dns/datasets_fullband/noise_fullband/door', 'noise')
    with pytest.raises(StageError, match='noise_fullband'):
        list(read_dns(tmp_path / 'datasets_fullband/clean_fullband'))


@pytest.mark.parametrize('read', [read_audioset, read_covost2, read_fma])
def test_a_folder_without_the_tables_is_named(tmp_path, read):
    with pytest.raises(StageError, match='name the folder of a local copy'):
        list(read(tmp_path))


def test_labels_in_snake_case():
    assert to_snake_case('Smoke detector, smoke alarm') == 'smoke_detector'
    assert to_snake_case('Hi-hat') == 'hi_hat'


def test_every_source_of_the_recipe_has_its_importer():
    assert {source.importer for source in load_recipe().sources.values()} == set(IMPORTERS)


def test_an_import_counts_what_is_missing_and_what_is_twice(tmp_path):
    covost2(tmp_path / 'copy')
    table = tmp_path / 'copy/covost_v2.en_zh-CN.train.tsv'
    (tmp_path / 'copy/covost_v2.en_zh-CN.dev.tsv').write_text(table.read_text())
    report = import_corpus('covost2', tmp_path / 'copy', tmp_path / 'out', **QUIET)
    assert report.rejected == {'id twice': 2, 'missing': 1}
    assert report.records_out == 1


def cli(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


def manifest_folder(folder):
    clips_in(folder, 3)
    rows = [{'path': '0.flac', 'licence': 'CC0-1.0', 'label': 'bell', 'source': 'S'},
            {'path': '1.flac', 'licence': 'CC-BY-NC-4.0'}, {'path': 'gone.flac'},
            {'path': '2.flac', 'licence': 'CC-BY-4.0', 'author': 'A', 'sample_rate': 16000},
            {'path': '2.flac', 'licence': 'CC-BY-4.0'}]
    (folder / 'manifest.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))


def test_the_command_imports_attributes_packs_and_unpacks(tmp_path, capsys):
    manifest_folder(tmp_path / 'copy')
    out = tmp_path / 'out'
    assert cli('import', 'folder', tmp_path / 'copy', '--out', out, '--workers', 0, '--exclude',
               'non_commercial', '--manifests') == 0
    said = capsys.readouterr().out
    assert '2 of 5 records' in said
    for reason in ('missing', 'id twice', 'licence group non_commercial excluded'):
        assert reason in said
    clips = list(read_records(out / 'clips/clips.jsonl', Clip))
    assert [clip.id for clip in clips] == ['0', '2']
    assert '- by A' in (out / 'clips/ATTRIBUTION.md').read_text()
    assert len(list(open_manifests(out / 'clips/lhotse'))) == 2
    assert cli('pack', out / 'clips/clips.jsonl', '--out', tmp_path / 'shar') == 0
    assert cli('unpack', tmp_path / 'shar', '--out', tmp_path / 'again') == 0
    again = list(read_records(tmp_path / 'again/clips.jsonl', Clip))
    assert again == clips
    assert cli('attribution', tmp_path / 'again/clips.jsonl', '--out', tmp_path / 'A.md') == 0
    assert '## S: CC0-1.0' in (tmp_path / 'A.md').read_text()
    assert cli('check', tmp_path / 'copy') == 0
    assert '3 clips' in capsys.readouterr().out


def test_the_command_reads_texts(tmp_path, capsys):
    (tmp_path / 'copy').mkdir()
    (tmp_path / 'copy/a.jsonl').write_text('{"data": ["Hi?", "Hello."]}\n{"data": []}\n')
    assert cli('import', 'ultrachat', tmp_path / 'copy', '--out', tmp_path, '--workers', 0) == 0
    dialogue, = read_stage(tmp_path / 'dialogues', Dialogue)
    assert dialogue.turns[0].assistant == 'Hello.'
    assert 'no question or no answer' in capsys.readouterr().out


def test_the_command_lists_and_plans(capsys):
    assert cli('list') == 0
    assert '2,336,455 items, 9,725 hours' in capsys.readouterr().out
    assert cli('plan', '--streams', 28) == 0
    assert 'silent_verification' in capsys.readouterr().out


@pytest.mark.parametrize(('form', 'read'), [('online', online_row), ('card', card_row)])
def test_the_command_writes_forms_of_the_release(tmp_path, capsys, form, read):
    event = Event(clip=Clip(id='a', path='a.flac', seconds=1.0), role='foreground', start_s=0.4,
                  end_s=1.4)
    streams = [Stream(id=name, ability='proactive', task='safety_signal', seed=0, path='s.flac',
                      chunks=6, events=(event,), lanes={lane: Lane(prompt='', replies=(
                          Reply(chunk=3, text='Fire!', event=0),))})
               for name, lane in (('1', 'assistant'), ('2', 'asr'))]
    write_records(tmp_path / 's.jsonl', streams)
    assert cli('convert', tmp_path / 's.jsonl', '--out', tmp_path / 'r.jsonl', '--form', form,
               '--lane', 'assistant') == 0
    row, = read_release(tmp_path / 'r.jsonl', read)
    assert row.turns[0].assistant == 'Fire!'
    assert 'no lane assistant' in capsys.readouterr().out
