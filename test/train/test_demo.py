"""The demo corpus: scripts of all abilities, made sounds, the whole way, the page."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip('num2words')
pytest.importorskip('matplotlib')

from train.compose.lanes import CRITICAL
from train.corpora.recipe import load_recipe
from train.demo import command, page
from train.demo.page import write_page
from train.demo.sounds import MADE, make_clip, make_plans
from train.demo.writer import Writer, estimate_s, load_phrases
from train.records import ABILITIES, Stream, read_records
from train.responses.history import Review, Turn, find_review_problems
from train.sounds.signals import LABELS
from train.speech import command as speech_command
from train.speech.engines import EngineSettings

pytestmark = pytest.mark.unit

VOICES = ['beeper:low', 'beeper:high']


class Beeper:
    """Speech without an engine: a tone as long as the text."""

    name, licence, licence_group = 'beeper', 'CC0-1.0', 'free'

    def voices(self, language):
        return ('low', 'high') if language == 'en' else ()

    def speak(self, text, voice, *, language, rng):
        hertz = 200 if voice == 'low' else 300
        time = np.arange(int(0.06 * len(text) * 16_000)) / 16_000
        return (0.4 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), 16_000


@pytest.fixture(scope='module')
def scripts():
    return Writer(VOICES, seed=1).write_hours(2.0)


def test_abilities_get_the_same_time_and_tasks_of_the_recipe(scripts):
    recipe = load_recipe()
    for ability in ABILITIES:
        mine = [script for script in scripts if script.ability == ability]
        assert sum(map(estimate_s, mine)) == pytest.approx(2 * 3600 / 7, rel=0.05)
        assert {script.task for script in mine} <= set(recipe.abilities[ability].tasks)
    assert len({script.task for script in scripts}) >= 23


def test_scripts_follow_from_seed_and_number(scripts):
    again, other = Writer(VOICES, seed=1), Writer(VOICES, seed=2)
    assert [again.write('asr', number) for number in range(5)] == [
        script for script in scripts if script.ability == 'asr'][:5]
    assert other.write('asr', 0) != again.write('asr', 0)


def test_history_reviews_keep_the_rules_of_the_paper(scripts):
    reviews = [script for script in scripts if script.task == 'history_review']
    chats = [script for script in scripts if script.ability == 'voice_chat']
    assert 0.15 < len(reviews) / len(chats) < 0.45
    for script in reviews:
        *before, last = script.steps
        assert last.review_of is not None
        problems = find_review_problems(
            Review(question=last.say, reference_answer=last.answer,
                   reference_turn_idx=last.review_of),
            [Turn(user=step.say, assistant=step.answer) for step in before])
        assert problems == []


def test_every_sound_that_is_written_can_be_made(scripts):
    made = {item.label for item in MADE} | set(LABELS)
    wanted = {step.sound for script in scripts for step in script.steps if step.sound}
    assert wanted | {label for script in scripts for label in script.ambient} <= made
    assert set(load_phrases()['critical']) <= set(CRITICAL)


def test_made_sounds_are_heard_marked_and_the_same_again(tmp_path: Path):
    chosen = {plan.name: plan for plan in make_plans(0)}
    for label in ('rain', 'door_knock', 'water_drip', 'melody_fast_rising', 'smoke_alarm_t3'):
        clip = make_clip(chosen[label], out=tmp_path)
        samples, rate = soundfile.read(tmp_path / clip.path)
        assert rate == 16_000 and len(samples) / rate == pytest.approx(clip.seconds)
        assert np.isfinite(samples).all() and 0.05 < np.abs(samples).max() <= 0.71
        assert clip.generated and clip.licence_group == 'free'
        again = make_clip(chosen[label], out=tmp_path / 'again')
        assert np.array_equal(soundfile.read(tmp_path / 'again' / again.path)[0], samples)


def first_of_each(seed):
    return [plan for plan in make_plans(seed) if plan.number == 0]


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for module in (command, speech_command):
            patch.setattr(module, 'make_engines', lambda _: {'beeper': Beeper()})
        patch.setattr(command, 'make_plans', first_of_each)
        yield command.build_demo(tmp_path_factory.mktemp('demo'), hours=0.01, workers=0,
                                 check=False, names=('beeper',))


def test_the_demo_builds_streams_of_all_seven_abilities(demo):
    streams = list(read_records(demo.out / 'streams.jsonl', Stream))
    assert {stream.ability for stream in streams} == set(ABILITIES)
    assert demo.built.rejections == {}
    assert 0.01 < demo.built.report.audio_hours < 0.05
    for stream in streams:
        assert soundfile.info(str(demo.out / stream.path)).frames == stream.chunks * 6400
    assert 'natural_hazard' in demo.unwritten()['proactive']


def test_the_page_is_whole_in_itself(demo):
    written = write_page(demo).read_text(encoding='utf-8')
    pictures = re.findall(r'data:image/png;base64,([^"]+)', written)
    assert len(pictures) == len(re.findall('data:audio/flac', written)) == 7
    assert all(base64.b64decode(one).startswith(b'\x89PNG') for one in pictures)
    assert not re.search(r'(src|href)="(?!data:)', written)
    for shown in ('Voice chat', 'Environment agent', 'Nothing was left out', 'core-hours'):
        assert shown in written


def test_the_command_prints_figures_and_goes_on_where_it_was(demo, monkeypatch, capsys):
    from train.__main__ import main
    for module in (command, speech_command):
        monkeypatch.setattr(module, 'make_engines', lambda _: {'beeper': Beeper()})
    monkeypatch.setattr(command, 'find_present', lambda: ('beeper',))
    monkeypatch.setattr(command, 'make_plans', first_of_each)
    monkeypatch.setattr(page, 'choose_streams', lambda streams: streams[:1])
    assert main(['demo', '--out', str(demo.out), '--hours', '0.01', '--workers', '0',
                 '--no-check']) == 0
    said = capsys.readouterr().out
    assert 'hours of stream per core-hour' in said and 'report.html' in said
    stages = json.loads((demo.out / 'demo.json').read_text())['stages']
    assert all(stage['resumed_shards'] == stage['shards'] for stage in stages.values())


def test_without_an_engine_it_says_what_to_install():
    from audio_interaction_ros.errors import ConfigurationError
    with pytest.raises(ConfigurationError, match='pip install hibari-tts'):
        command.choose_speakers(EngineSettings(names=()))
