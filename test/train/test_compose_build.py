"""Building: scripts find clips, streams come out the same after a stop, reasons are counted."""

import hashlib
import json
import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip('scipy')
pytest.importorskip('num2words')

from train.compose import ClipError, Script, Step, compose
from train.compose.bind import Pool, UnboundError, bind, scripts_of
from train.compose.command import build_all, read_cleaned
from train.compose.curated import curated_plan
from train.curation.plan import Constraint, SubEvent
from train.curation.plan import ScenarioPlan as CuratedPlan
from train.curation.result import CurationResult, Placed
from train.records import Clip, Stream, read_records, write_records
from train.speech.make import line_id
from train.stages import StageError

pytestmark = pytest.mark.unit

RATE = 16_000
VOICE = 'e:v'


def write(folder: Path, name: str, hertz: float, seconds: float, **fields) -> Clip:
    time = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(folder / f'{name}.flac', 0.3 * np.sin(2 * np.pi * hertz * time), RATE)
    return Clip(id=name, path=f'{name}.flac', seconds=seconds,
                **{'licence': 'CC0-1.0', 'licence_group': 'free', 'generated': True, **fields})


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    says = [('Who is there?', ''), ('Good morning.', '早上好。')]
    return [
        *[write(tmp_path, line_id(text, VOICE, 'en'), 200, 0.9, text=text, translation=other,
                language='en', speaker=VOICE) for text, other in says],
        write(tmp_path, 'bell', 700, 0.6, label='doorbell'),
        write(tmp_path, 'alarm', 3100, 0.7, label='smoke_alarm'),
        write(tmp_path, 'hum', 50, 1.0, tags=('noise', 'room'), label='hum')]


def script(name: str = 'a', **fields) -> Script:
    steps = (Step(say='Who is there?', answer='The postman.'), Step(sound='doorbell'),
             Step(sound='smoke_alarm'))
    return Script(**{'id': name, 'ability': 'voice_chat', 'task': 'open_conversation', 'seed': 3,
                     'steps': steps, 'voice': VOICE, **fields})


def test_bind_finds_clips_and_lanes(clips):
    plan = bind(script(ambient=('hum',)), Pool.of(clips), noise_probability=1.0)
    assert [clip.label or clip.text for clip in plan.foreground] == [
        'Who is there?', 'doorbell', 'smoke_alarm']
    assert sorted(plan.lanes) == ['assistant', 'transcript']
    assert [clip.id for clip in plan.noise + plan.room + plan.ambient] == ['hum'] * 4
    translated = bind(script(ability='translation', steps=(Step(say='Good morning.'),)),
                      Pool.of(clips))
    assert sorted(translated.lanes) == ['transcript', 'translation']


def test_bind_says_what_is_missing(clips):
    with pytest.raises(UnboundError, match='no clip of a sound: siren'):
        bind(script(steps=(Step(sound='siren'),)), Pool.of(clips))
    with pytest.raises(UnboundError, match='no speech for a sentence: Nobody'):
        bind(script(steps=(Step(say='Nobody said this.'),)), Pool.of(clips))


def test_speech_with_text_gives_scripts_of_every_clip_once(clips):
    scripts = scripts_of(clips)
    assert {one.ability for one in scripts} == {'asr', 'translation'}
    named = [step.clip for one in scripts for step in one.steps]
    assert sorted(named) == sorted(clip.id for clip in clips if clip.text)


def digest(folder: Path) -> dict[str, str]:
    files = [*folder.glob('audio/*.flac'), folder / 'streams.jsonl', folder / 'attribution.md']
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_build_stopped_and_resumed_equals_an_uninterrupted_one(tmp_path, clips):
    scripts = [script(f's{number:02d}', seed=number) for number in range(20)]
    whole = build_all(scripts, clips, root=tmp_path, out=tmp_path / 'whole', workers=0)
    assert len(whole.streams) == 20
    build_all(scripts[:16], clips, root=tmp_path, out=tmp_path / 'parts', workers=0)
    for file in (tmp_path / 'parts' / 'streams').glob('report.json'):
        file.unlink()  # as if it had been stopped here
    resumed = build_all(scripts, clips, root=tmp_path, out=tmp_path / 'whole2', workers=0)
    continued = build_all(scripts, clips, root=tmp_path, out=tmp_path / 'parts', workers=0)
    assert continued.report.resumed_shards == 1 and resumed.report.resumed_shards == 0
    assert digest(tmp_path / 'parts') == digest(tmp_path / 'whole') == digest(tmp_path / 'whole2')


def test_what_is_built_can_be_read_and_heard(tmp_path, clips):
    out = tmp_path / 'out'
    built = build_all([script()], clips, root=tmp_path, out=out, workers=0)
    stream, = read_records(out / 'streams.jsonl', Stream)
    samples, rate = soundfile.read(out / stream.path)
    assert rate == RATE and len(samples) == stream.chunks * 6400
    assert stream.lanes['assistant'].replies[0].text == 'The postman.'
    assert all(reply.chunk < stream.chunks for lane in stream.lanes.values()
               for reply in lane.replies)
    report = json.loads((out / 'build.json').read_text())
    assert report['by_ability'] == {'voice_chat': 1} and report['hours_per_core_hour'] > 0
    assert built.report.audio_hours == pytest.approx(stream.chunks * 0.4 / 3600)
    assert 'CC0-1.0' in (out / 'attribution.md').read_text()


def test_reasons_are_counted_and_the_rest_is_built(tmp_path, clips):
    (tmp_path / 'bell.flac').write_bytes(b'')
    steps = (Step(say='Good morning.', answer='Good morning.'),)
    scripts = [script('bad-clip'), script('no-clip', steps=(Step(sound='siren'),)),
               script('empty', steps=()), script('many', steps=steps * 40),
               script('good', steps=steps)]
    built = build_all(scripts, clips, root=tmp_path, out=tmp_path / 'out', workers=0)
    assert [stream.id for stream in built.streams] == ['good']
    assert built.rejections == {
        'clip cannot be used': 1, 'no clip of a sound': 1, 'plan refused': 2}


def test_tfjp_cleans_recordings_and_leaves_generated_signals(tmp_path):
    pause = np.zeros(RATE, np.float32)
    beep = 0.3 * np.sin(np.arange(RATE // 2) * 1.2)
    rng = np.random.default_rng(0)
    samples = np.concatenate([beep, pause, beep]) + 1e-4 * rng.standard_normal(2 * RATE)
    soundfile.write(tmp_path / 'x.flac', samples, RATE)
    real = Clip(id='x', path='x.flac', seconds=2.0)
    made = Clip(id='x', path='x.flac', seconds=2.0, generated=True)
    assert len(read_cleaned(made, tmp_path)) == 2 * RATE
    assert len(read_cleaned(real, tmp_path)) < 2 * RATE - 8000
    alarm = Clip(id='x', path='x.flac', seconds=2.0, label='smoke_alarm')
    assert len(read_cleaned(alarm, tmp_path)) == 2 * RATE, 'its pauses are the signal'
    soundfile.write(tmp_path / 'z.flac', 0.05 * rng.standard_normal(2 * RATE), RATE)
    steady = Clip(id='z', path='z.flac', seconds=2.0, label='rain')
    assert len(read_cleaned(steady, tmp_path)) == 2 * RATE
    soundfile.write(tmp_path / 'y.flac', 1e-4 * rng.standard_normal(RATE), RATE)
    with pytest.raises(ClipError, match='TFJP'):
        read_cleaned(Clip(id='y', path='y.flac', seconds=1.0), tmp_path)


def test_the_command_builds_and_leaves_out_licence_groups(tmp_path, clips, capsys):
    from train.__main__ import main
    write_records(tmp_path / 'clips.jsonl', clips)
    arguments = ['build', '--clips', str(tmp_path / 'clips.jsonl'), '--workers', '0']
    assert main([*arguments, '--out', str(tmp_path / 'one')]) == 0
    assert '2 streams' in capsys.readouterr().out
    assert main([*arguments, '--out', str(tmp_path / 'two'), '--exclude-group', 'free']) == 0
    assert '0 streams' in capsys.readouterr().out
    assert main([*arguments, '--out', str(tmp_path / 'two'), '--exclude-group', 'wild']) == 2
    assert 'wild' in capsys.readouterr().err


def curated(clips: list[Clip], **changes) -> CurationResult:
    events = {name: SubEvent(name=name, role=role, rough_duration_s=1.0, brief_description=name,
                             query='a b c d', caption='It rings.', accept_tags=(name,))
              for name, role in (('doorbell', 'foreground'), ('smoke_alarm', 'background'),
                                 ('hum', 'ambient'))}
    found = {clip.label: clip for clip in clips if clip.label}
    placed = tuple(Placed(event=event, clip=found[name], how='retrieved')
                   for name, event in events.items())
    plan = {'scenario': 'A flat.', 'seconds': 20.0, 'sub_events': tuple(events.values()),
            'id': 'c1', 'seed': 4, 'constraints': (
                Constraint(kind='not_together', first='smoke_alarm', second='doorbell'),)}
    return CurationResult(**{'plan': CuratedPlan(**{**plan, **changes.pop('plan', {})}),
                             'placed': placed, 'rejections': (), **changes})


def test_a_curated_scenario_becomes_a_stream_that_keeps_its_rules(tmp_path, clips):
    for seed in range(8):
        plan = curated_plan(curated(clips, plan={'seed': seed}))
        assert (plan.ability, plan.task) == ('proactive', 'equipment_or_fire')
        _, stream = compose(plan, root=tmp_path)
        bell, alarm, hum = stream.events
        assert (bell.role, alarm.role, hum.role) == ('foreground', 'background', 'ambient')
        assert alarm.end_s <= bell.start_s or bell.end_s <= alarm.start_s
        reply, = stream.lanes['assistant'].replies
        assert reply.event == 1 and reply.emotion == 'urgent'


def test_a_scenario_with_a_sound_missing_or_without_a_place_is_counted(tmp_path, clips):
    whole = curated(clips)
    lacking = curated(clips, placed=whole.placed[:1] + whole.placed[2:])
    impossible = curated(clips, plan={'id': 'c2', 'constraints': tuple(
        Constraint(kind='before', first=first, second=second) for first, second in (
            ('smoke_alarm', 'doorbell'), ('doorbell', 'smoke_alarm')))})
    built = build_all([], [], root=tmp_path, out=tmp_path / 'out', workers=0,
                      curated=[whole, lacking, impossible])
    assert [stream.id for stream in built.streams] == ['curated-c1']
    assert built.rejections == {'no sound for a sub-event': 1, 'plan refused': 1}


def test_a_full_disk_ends_the_build_and_nothing_finished_is_lost(tmp_path, clips):
    scripts = [script(f's{number:02d}', seed=number) for number in range(18)]
    whole = build_all(scripts, clips, root=tmp_path, out=tmp_path / 'whole', workers=0)
    sizes = {one.id: (tmp_path / 'whole' / one.path).stat().st_size for one in whole.streams}
    scripts.sort(key=lambda one: sizes[one.id])  # the largest comes in the second shard
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes.values()) - 1, before[1]))
        with pytest.raises(StageError, match='No room left'):
            build_all(scripts, clips, root=tmp_path, out=tmp_path / 'out', workers=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    built = build_all(scripts, clips, root=tmp_path, out=tmp_path / 'out', workers=0)
    assert built.report.resumed_shards == 1 and len(built.streams) == 18
    assert {path.suffix for path in (tmp_path / 'out/audio').iterdir()} == {'.flac'}
