"""The recipe as one command: steps in order, marks, and what is said of a failure."""

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from itertools import pairwise
from pathlib import Path

import pytest

from audio_interaction_ros.errors import ConfigurationError
from train.__main__ import main
from train.edge.command import RecipeStep, check_start, keep_recipe, make_steps, work_off
from train.edge.recipe import read_edge_recipe, scale_recipe

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / 'models/edge'


def writes(path: Path) -> tuple[str, ...]:
    return (sys.executable, '-c', f'open({str(path)!r}, "a").write("x")')


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, '-c', code)


def options(tmp_path, **more) -> Namespace:
    return Namespace(**{'out': tmp_path, 'data': Path('data'), 'text': Path('t.tsv'),
                        'workers': 2, 'learners': None, 'threshold': [], 'tagger': None,
                        'start': None, 'begin': None, 'pairs': None, 'kokoro_model': None,
                        'kokoro_voices': None, **more})


def steps_of(tmp_path, share=1.0, **more):
    return make_steps(options(tmp_path, **more), scale_recipe(read_edge_recipe(), share))


def value(command: tuple[str, ...], flag: str) -> str:
    return command[command.index(flag) + 1]


def test_each_step_is_done_once(tmp_path, capsys):
    todo = [RecipeStep(name='one', commands=(writes(tmp_path / 'a'), writes(tmp_path / 'b'))),
            RecipeStep(name='two of them', commands=(writes(tmp_path / 'a'),))]
    work_off(todo, tmp_path / 'out', {})
    work_off(todo, tmp_path / 'out', {})
    assert (tmp_path / 'a').read_text() == 'xx' and (tmp_path / 'b').read_text() == 'x'
    assert 'minutes' in (tmp_path / 'out' / 'two-of-them.done').read_text()
    assert '2/2 two of them: done before' in capsys.readouterr().out


@pytest.mark.parametrize('mark', ['done', 'begun'])
def test_a_step_made_with_other_options_is_not_taken_for_done(tmp_path, mark):
    first = RecipeStep(name='one', commands=(writes(tmp_path / 'a'),))
    work_off([first], tmp_path, {})
    (tmp_path / 'one.done').rename(tmp_path / f'one.{mark}')
    other = RecipeStep(name='one', commands=(writes(tmp_path / 'b'),))
    with pytest.raises(SystemExit, match=rf'other options; give another --out or .*one.{mark}'):
        work_off([other], tmp_path, {})
    assert not (tmp_path / 'b').exists()


def test_another_number_of_workers_is_no_other_option(tmp_path):
    few, many = (steps_of(tmp_path, workers=workers) for workers in (2, 5))
    assert [step.made_by for step in few] == [step.made_by for step in many]
    assert {step.name: step.commands for step in few} != {
        step.name: step.commands for step in many}


def test_a_step_that_fails_is_named_and_done_again(tmp_path):
    todo = [RecipeStep(name='one', commands=(python('raise SystemExit(3)'),)),
            RecipeStep(name='two', commands=(writes(tmp_path / 'a'),))]
    with pytest.raises(SystemExit, match=r'one: .* ended with 3; correct'):
        work_off(todo, tmp_path, {})
    assert not (tmp_path / 'one.done').exists() and not (tmp_path / 'a').exists()


def test_a_failure_ends_the_others(tmp_path):
    slow = python('import time; time.sleep(600)')
    with pytest.raises(SystemExit, match='ended with 4'):
        work_off([RecipeStep(name='one', commands=(slow, python('raise SystemExit(4)')))],
                 tmp_path, {})


def test_told_to_end_it_ends_what_it_started(tmp_path):
    child = (f'import os, time; open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid())); '
             'time.sleep(600)')
    code = (f'import signal, sys\nfrom pathlib import Path\nimport train.edge.command as recipe\n'
            f'signal.signal(signal.SIGTERM, recipe._end_on_signal)\n'
            f'recipe.work_off([recipe.RecipeStep(name="one", commands=((sys.executable, "-c", '
            f'{child!r}),))], Path({str(tmp_path)!r}), {{}})')
    process = subprocess.Popen([sys.executable, '-c', code])
    while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / 'pid').read_text()), 0)


def test_every_step_reads_what_an_earlier_one_writes(tmp_path):
    written = {str(tmp_path / 'recipe.yaml')}
    for step in steps_of(tmp_path, threshold=['transcript=0.5']):
        for command in step.commands:
            named = {(flag, value) for flag, value in pairwise(command)
                     if value.startswith(str(tmp_path))}
            assert {value for flag, value in named if flag != '--out'} <= written, step.name
        written |= {value(command, '--out') for command in step.commands if '--out' in command}
    assert str(tmp_path / 'model') in written


def test_a_small_share_of_the_recipe_is_a_small_share_of_the_plan(tmp_path):
    shares = [value(command, '--share') for step in steps_of(tmp_path, 0.01)
              for command in step.commands if 'train.edge.synthesise' in command]
    assert shares == ['0.01']


def test_pairs_add_mandarin_text_and_a_third_lane(tmp_path):
    given = {'pairs': Path('p.tsv'), 'kokoro_model': Path('k.onnx')}
    named = {step.name: step.commands for step in steps_of(tmp_path, **given)}
    without = [step.name for step in steps_of(tmp_path)]
    assert [name for name in named if name not in without] == [
        'Mandarin', 'translation of text', 'three lanes']
    assert value(named['Mandarin'][0], '--kokoro-model') == 'k.onnx'
    assert str(tmp_path / 'speech-zh') in named['scenes, train'][0]
    assert value(named['scenes, validation'][0], '--pairs') == 'p.tsv'
    first, text, last = (named[name][0] for name in (
        'when and what', 'translation of text', 'three lanes'))
    assert value(text, '--begin') == value(last, '--projector') == value(first, '--out')
    assert value(last, '--begin') == str(tmp_path / 'translation' / 'trained.safetensors')
    assert value(named['model folder'][0], '--trained') == value(last, '--out')


def test_a_tagger_and_an_earlier_projector_go_to_their_steps(tmp_path):
    given = {'tagger': Path('scores.jsonl'), 'start': Path('earlier.safetensors')}
    commands = {command[2]: command for step in steps_of(tmp_path, **given)
                for command in step.commands}
    assert value(commands['train.edge.sound'], '--tagger') == 'scores.jsonl'
    assert value(commands['train.edge.stage_a'], '--start') == 'earlier.safetensors'


def test_a_finished_model_learns_on_in_sessions_only(tmp_path):
    steps = steps_of(tmp_path, begin=Path('models/edge'), pairs=Path('p.tsv'))
    assert [step.name for step in steps] == ['speech', 'Mandarin', 'scenes, train',
                                             'scenes, validation', 'features', 'sessions',
                                             'model folder']
    sessions, shipped = (step.commands[0] for step in steps[-2:])
    assert {value(sessions, flag) for flag in ('--projector', '--sound', '--begin')} == {
        'models/edge/trained.safetensors'}
    assert value(sessions, '--pairs') == 'p.tsv'
    assert value(shipped, '--trained') == value(sessions, '--out')


def test_a_model_of_another_window_is_refused_before_anything_is_made(tmp_path):
    check_start(SHIPPED, read_edge_recipe('edge_continue'))
    with pytest.raises(ConfigurationError, match='hears 4 s at once, as the recipe says, found 2'):
        check_start(SHIPPED, read_edge_recipe('edge_continue', ('window_s=4.0',)))


def test_a_folder_is_of_one_recipe(tmp_path):
    keep_recipe(read_edge_recipe(), tmp_path)
    keep_recipe(read_edge_recipe(), tmp_path)
    assert read_edge_recipe(tmp_path / 'recipe.yaml') == read_edge_recipe()
    with pytest.raises(SystemExit, match='begun with another recipe'):
        keep_recipe(read_edge_recipe('edge', ('signals=3',)), tmp_path)


def test_a_step_that_there_is_not_is_refused_before_anything_is_made(tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['edge', '--data', 'd', '--text', 't', '--out', str(out), '--until', 'dance']) == 2
    assert "got 'dance'" in capsys.readouterr().err and not out.exists()
