import dataclasses
import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from train.curation.curate import curate
from train.curation.plan import Constraint, ScenarioPlan, ScenarioPlanError, SubEvent
from train.curation.result import CurationResult, summarise
from train.curation.retrieve import ClipIndex
from train.curation.verify import verify
from train.records import Clip, from_dict, to_dict
from train.sounds.generator import GenerationError, SignalGenerator, Sound
from train.sounds.signals import LABELS

pytestmark = pytest.mark.unit

RATE = 16_000


def tone(hz, seconds, *, ends=True):
    """Return a tone that fades at its ends, or breaks off."""
    out = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    if ends:
        out[:400] *= np.linspace(0, 1, 400)
        out[-400:] *= np.linspace(1, 0, 400)
    return out.astype(np.float32)


HZ = {'dog_bark': 400, 'cough': 800, 'garden': 1_600, 'mower': 3_200}


class PitchTagger:
    """Hears the class of a sound by its pitch."""

    labels = frozenset(HZ)

    def tags(self, samples, *, source=''):
        power = np.abs(np.fft.rfft(samples)) ** 2
        hz = np.fft.rfftfreq(len(samples), 1 / RATE)[int(power.argmax())]
        scores = {label: 1 / (1 + abs(hz - pitch)) for label, pitch in HZ.items()}
        total = sum(scores.values())
        return {label: score / total
                for label, score in sorted(scores.items(), key=lambda x: -x[1])}


def event(name, role='foreground', seconds=2.0, accept=None):
    return SubEvent(name=name, role=role, rough_duration_s=seconds, brief_description=name,
                    query=f'the sound of {name}', caption=f'One hears a {name}.',
                    accept_tags=accept or (name,))


PLAN = ScenarioPlan(id='p', scenario='A garden.', seconds=20.0, sub_events=(
    event('garden', 'ambient', 20.0), event('dog_bark'), event('cough')))


def check(samples, wanted=PLAN.sub_events[1], **more):
    found = verify(samples, wanted, tagger=PitchTagger(), **more)
    return found.verdict, {conflict.check for conflict in found.conflicts}


def padded(samples, seconds):
    return np.concatenate([samples, np.zeros(round(seconds * RATE), np.float32), samples])


@pytest.mark.parametrize(('samples', 'expected'), [
    (tone(400, 2.0), ('accept', set())),
    (tone(400, 1.01), ('accept', set())),
    (tone(400, 3.99), ('accept', set())),
    (tone(400, 0.99), ('reject', {'duration'})),
    (tone(400, 4.1), ('reprocess', {'duration'})),
    (tone(400, 2.0, ends=False), ('reprocess', {'continuity'})),
    (padded(tone(400, 1.0), 0.8), ('reprocess', {'cleanliness'})),
    (np.zeros(32_000, np.float32), ('reject', {'cleanliness'})),
    (np.clip(9 * tone(400, 2.0), -1, 1), ('reject', {'cleanliness'})),
])
def test_the_four_checks(samples, expected):
    assert check(samples) == expected


def test_the_pauses_of_a_standardised_signal_are_not_silence():
    alarm = dataclasses.replace(PLAN.sub_events[1], accept_tags=('dog_bark', 'smoke_alarm'))
    assert check(padded(tone(400, 1.0), 1.5), alarm) == ('accept', set())


def test_the_wrong_sound_is_rejected_with_what_was_heard():
    wrong = dataclasses.replace(PLAN.sub_events[1], accept_tags=('mower',))
    tagger = SimpleNamespace(labels=frozenset(HZ), tags=lambda samples, source='': {
        'cough': 0.9, 'dog_bark': 0.05, 'garden': 0.04, 'mower': 0.01})
    found = verify(tone(800, 2.0), wrong, tagger=tagger)
    assert found.verdict == 'reject'
    reasons = [conflict.reason for conflict in found.conflicts]
    assert reasons == ["expected one of ['mower'], heard cough 0.90, dog_bark 0.05, garden 0.04",
                       'also heard: cough 0.90']


def test_the_label_of_the_source_counts_only_where_the_tagger_knows_nothing():
    unknown = event('harp', seconds=2.0)
    found = verify(tone(400, 2.0), unknown, tagger=PitchTagger(), label='harp')
    assert (found.verdict, found.unverified != '') == ('accept', True)
    assert check(tone(400, 2.0), unknown, label='')[1] == {'identity'}
    assert check(tone(400, 2.0), unknown, label='lute')[1] == {'identity'}
    loud = {'cough': 0.9, 'dog_bark': 0.02, 'garden': 0.01, 'mower': 0.0}
    tagger = SimpleNamespace(labels=frozenset(HZ), tags=lambda samples, source='': loud)
    assert verify(tone(400, 2.0), PLAN.sub_events[1], tagger=tagger,
                  label='dog_bark').verdict == 'reject'


def test_a_recording_does_not_follow_itself():
    assert check(tone(400, 2.0), source='s', before='s') == ('reject', {'continuity'})
    assert check(tone(400, 2.0), source='s', before='t') == ('accept', set())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'clips').mkdir()
    (tmp_path / 'out').mkdir()
    return tmp_path


def index_of(folder, sounds):
    """Write (name, label, samples) as clips and index them."""
    clips = []
    for name, label, samples in sounds:
        if samples is not None:
            soundfile.write(folder / 'clips' / f'{name}.flac', samples, RATE)
        clips.append(Clip(id=name, path=f'{name}.flac', label=label, source_id=name,
                          seconds=2.0 if samples is None else len(samples) / RATE))
    return ClipIndex(clips)


GARDEN = ('garden', 'garden', tone(1_600, 20.0))
BARK = ('bark', 'dog_bark', tone(400, 2.0))
COUGH = ('cough', 'cough', tone(800, 2.0))


def mended(samples, verdict='ok'):
    return lambda _: SimpleNamespace(samples=samples, report=SimpleNamespace(
        verdict=verdict, reason='as the test says'))


def never(_):
    raise AssertionError('nothing was to be reprocessed')


def curated(folder, sounds, *, plan=PLAN, process=never, generator=None, tagger=None):
    return curate(plan, index=index_of(folder, sounds), tagger=tagger or PitchTagger(),
                  generator=generator, out=folder / 'out', root=folder / 'clips',
                  process=process)


def test_clips_that_fit_are_taken_as_they_are(folder):
    result = curated(folder, [GARDEN, BARK, COUGH])
    assert [p.clip.id for p in result.placed] == ['garden', 'bark', 'cough']
    assert {p.how for p in result.placed} == {'retrieved'}
    assert result.rejections == ()
    assert result.usable
    assert not result.missing
    assert not list((folder / 'out').iterdir())
    assert result.placed[1].clip.path == str(folder / 'clips' / 'bark.flac')
    assert from_dict(CurationResult, to_dict(result)) == result


def test_a_bad_clip_is_refused_and_the_next_one_taken(folder):
    short = ('bark2', 'dog_bark', tone(400, 0.5))
    wrong = ('bark3', 'dog_bark', tone(1_600, 2.0))
    gone = ('bark4', 'dog_bark', None)
    tagger = SimpleNamespace(labels=frozenset(HZ), tags=lambda s, source='': dict(
        list(PitchTagger().tags(s).items())[:2]))
    taken = set()
    for seed in range(8):  # chance decides which of equals is looked at first
        result = curated(folder, [GARDEN, BARK, COUGH, short, wrong, gone], tagger=tagger,
                         plan=dataclasses.replace(PLAN, seed=seed))
        taken |= {(r.candidate, r.checks) for r in result.rejections}
    assert {('bark3', ('identity', 'cleanliness')), ('bark4', ('unreadable',))} <= taken


def test_a_clip_is_reprocessed_once_and_then_taken(folder):
    cut = ('bark', 'dog_bark', tone(400, 2.0, ends=False))
    result = curated(folder, [GARDEN, cut, COUGH], process=mended(tone(400, 1.8)))
    placed = result.placed[1]
    assert (placed.how, placed.clip.id.partition('@')[0]) == ('retrieved+tfjp', 'bark')
    assert placed.clip.source_id == 'bark'
    assert soundfile.info(placed.clip.path).frames == round(1.8 * RATE)
    assert placed.clip.seconds == pytest.approx(1.8)
    assert [r.stage for r in result.rejections] == ['retrieval']


@pytest.mark.parametrize(('process', 'checks'), [
    (mended(tone(400, 2.0, ends=False)), ('continuity',)), (mended(tone(400, 0.4)), ('duration',)),
    (mended(tone(400, 2.0), verdict='silence'), ('cleanliness',))])
def test_a_clip_that_is_not_mended_is_rejected(folder, process, checks):
    cut = ('bark', 'dog_bark', tone(400, 2.0, ends=False))
    result = curated(folder, [GARDEN, cut, COUGH], process=process)
    assert [(r.stage, r.checks) for r in result.rejections] == [
        ('retrieval', ('continuity',)), ('retrieval+tfjp', checks)]
    assert result.missing == ('dog_bark',)


def test_the_real_tfjp_mends_a_clip_that_breaks_off(folder):
    rng = np.random.default_rng(0)
    bark = tone(400, 2.0, ends=False)
    bark[:8_000] = 0
    bark += 1e-4 * rng.standard_normal(len(bark)).astype(np.float32)
    result = curated(folder, [GARDEN, ('bark', 'dog_bark', bark), COUGH], process=None)
    assert result.placed[1].how == 'retrieved+tfjp'


class Fixed:
    """Generates what the test says."""

    name = 'fixed'

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def generate(self, request):
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Sound(samples=self.answer, label=request.labels[0], source='fixed', licence='X',
                     licence_group='non_commercial')


def test_where_nothing_fits_a_sound_is_generated_and_verified(folder):
    generator = Fixed(tone(400, 2.0))
    result = curated(folder, [GARDEN, COUGH], generator=generator)
    placed = result.placed[1]
    assert (placed.how, placed.clip.generated) == ('generated', True)
    assert placed.clip.licence_group == 'non_commercial'
    assert soundfile.info(placed.clip.path).frames == 2 * RATE
    assert generator.asked[0].caption == 'One hears a dog_bark.'
    assert result.rejections[0].checks == ('missing',)
    assert summarise([result])['generated'] == 1


@pytest.mark.parametrize(('answer', 'checks'), [
    (tone(1_600, 2.0), ('identity', 'cleanliness')),  # the wrong sound
    (tone(400, 0.3), ('duration',)),
    (GenerationError('fixed: expected an answer within 60 s, none came'), ('error',)),
    (TimeoutError('late'), ('error',)), (ConnectionResetError('gone'), ('error',)),
    (np.zeros(0, np.float32), ('error',)), (np.zeros((9, 2), np.float32), ('error',)),
    (np.full(32_000, np.nan, np.float32), ('error',)), (tone(400, 2.0).astype(float), ('error',))])
def test_a_generator_that_fails_leaves_the_event_out(folder, answer, checks):
    tagger = SimpleNamespace(labels=frozenset(HZ), tags=lambda s, source='': dict(
        list(PitchTagger().tags(s).items())[:1]))
    result = curated(folder, [GARDEN, COUGH], generator=Fixed(answer), tagger=tagger)
    assert result.missing == ('dog_bark',)
    assert result.rejections[-1].stage == 'generation'
    assert result.rejections[-1].checks == checks
    assert result.usable
    assert summarise([result])['missing'] == {'dog_bark': 1}


def test_a_generated_sound_is_never_taken_at_its_word(folder):
    """No source vouches for a generated sound that the tagger does not know."""
    plan = dataclasses.replace(PLAN, sub_events=(
        *PLAN.sub_events[:2], event('harp', seconds=2.0)))
    result = curated(folder, [GARDEN, BARK], plan=plan, generator=Fixed(tone(400, 2.0)))
    assert result.missing == ('harp',)
    assert result.rejections[-1].checks == ('identity',)


def test_the_built_in_signals_serve_as_fallback(folder):
    plan = dataclasses.replace(PLAN, sub_events=(
        *PLAN.sub_events[:2], event('alarm', seconds=4.0, accept=('smoke_alarm',))))
    tagger = SimpleNamespace(labels=frozenset({*HZ, 'smoke_alarm'}), tags=lambda s, source='': (
        {'smoke_alarm': 1.0} if len(s) == 4 * RATE else PitchTagger().tags(s)))
    result = curated(folder, [GARDEN, BARK], plan=plan, generator=SignalGenerator(),
                     tagger=tagger)
    assert set(result.placed[2].clip.tags) < set(LABELS['smoke_alarm'])
    assert result.placed[2].clip.generated


def test_beds_are_cut_or_repeated_to_the_plan(folder):
    plan = dataclasses.replace(PLAN, sub_events=(
        *PLAN.sub_events, event('mower', 'background', 3.0)))
    result = curated(folder, [BARK, COUGH, ('garden', 'garden', tone(1_600, 5.0)),
                              ('mower', 'mower', tone(3_200, 9.0))], plan=plan)
    lengths = {p.event.name: p.clip.seconds for p in result.placed}
    assert (lengths['garden'], lengths['mower']) == (20.0, 3.0)
    looped, _ = soundfile.read(result.placed[0].clip.path)
    levels = (looped[:320_000 // 1_600 * 1_600].reshape(-1, 1_600) ** 2).mean(axis=1)
    assert levels[5:-5].min() > 0.2 * np.median(levels)  # no hole where the pieces meet


def test_a_bed_that_is_too_short_is_refused(folder):
    result = curated(folder, [BARK, COUGH, ('garden', 'garden', tone(1_600, 3.0))])
    assert result.missing == ('garden',)
    assert not result.usable


def test_a_recording_is_used_once_in_a_plan(folder):
    plan = dataclasses.replace(PLAN, sub_events=(
        *PLAN.sub_events, event('dog_bark_2', accept=('dog_bark',))))
    assert curated(folder, [GARDEN, BARK, COUGH], plan=plan).missing == ('dog_bark_2',)


def test_what_has_no_sound_is_taken_out_where_a_plan_is_left(folder):
    rules = (Constraint(kind='before', first='dog_bark', second='cough'),
             Constraint(kind='before', first='dog_bark', second='harp'))
    plan = dataclasses.replace(PLAN, constraints=rules, sub_events=(
        *PLAN.sub_events, event('harp', seconds=1.0)))
    result = curated(folder, [GARDEN, BARK, COUGH], plan=plan)
    assert result.missing == ('harp',)
    pruned = result.prune()
    assert (pruned.missing, pruned.dropped) == ((), ('harp',))
    assert pruned.plan.constraints == rules[:1]
    assert pruned.plan.scenario == 'Dog_bark, then cough; all the time garden.'
    assert pruned.prune() == pruned
    assert summarise([pruned])['missing'] == {'harp': 1}
    assert summarise([pruned])['sub_events'] == 4
    few = curated(folder, [GARDEN, BARK])  # two sub-events are no plan
    assert few.prune() == few


@pytest.mark.parametrize('name', ['../../outside', '/etc/x', 'a b\x00c', '狗', 'x' * 300])
def test_names_of_a_planner_do_not_lead_out_of_the_folder(folder, name):
    plan = dataclasses.replace(PLAN, id=name, sub_events=(
        PLAN.sub_events[0], PLAN.sub_events[2], event(name, accept=('dog_bark',))))
    result = curated(folder, [GARDEN, COUGH], plan=plan, generator=Fixed(tone(400, 2.0)))
    assert not result.missing
    written, = (folder / 'out').iterdir()
    assert result.placed[-1].clip.path == str(written)


def test_two_plans_of_one_id_do_not_share_files(folder):
    for seconds in (2.0, 2.5):
        plan = dataclasses.replace(PLAN, sub_events=(
            *PLAN.sub_events[::2], event('dog_bark', seconds=seconds)))
        curated(folder, [GARDEN, COUGH], plan=plan, generator=Fixed(tone(400, seconds)))
    assert len(list((folder / 'out').iterdir())) == 2


def test_a_plan_that_contradicts_itself_is_refused(folder):
    with pytest.raises(ScenarioPlanError):
        curated(folder, [GARDEN], plan=dataclasses.replace(PLAN, sub_events=()))


def test_the_same_inputs_give_the_same_files(folder):
    def digest(name):
        out = folder / name
        result = curate(PLAN, index=index_of(folder, [GARDEN, COUGH]), tagger=PitchTagger(),
                        generator=Fixed(tone(400, 2.0)), out=out, root=folder / 'clips',
                        process=never)
        files = sorted(out.iterdir())
        assert files
        return ([hashlib.sha256(f.read_bytes()).hexdigest() for f in files],
                result.rejections, [p.clip.id for p in result.placed])

    assert digest('a') == digest('b')


def test_a_folder_that_cannot_be_written_ends_the_curation(folder):
    (folder / 'out').rmdir()
    (folder / 'out').write_text('a file is in the way')
    with pytest.raises(OSError, match='out'):
        curated(folder, [GARDEN, COUGH], generator=Fixed(tone(400, 2.0)))
