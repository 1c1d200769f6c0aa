"""Recipes: the paper's numbers, strict reading, learning rates, launch configurations."""

import dataclasses
import itertools
import json

import pytest
import yaml

from audio_interaction_ros.errors import ConfigurationError
from train.trainer.recipe import RECIPES, dump_recipe, learning_rate, load_recipe

pytestmark = pytest.mark.unit

PAPER = {  # trained modules, batch, accumulation, effective batch, peak lr, steps
    'stage1': (('head', 'new_embeddings'), 8, 2, 512, 1e-4, 5_000),
    'stage2': (('adapter',), 8, 4, 1024, 1e-4, 20_000),
    'stage3': (('adapter', 'lm'), 4, 8, 1024, 5e-5, 80_000),
    'stage4': (('adapter', 'lm'), 2, 16, 1024, 1e-5, 15_000)}


def write(tmp_path, **changes):
    values = yaml.safe_load((RECIPES / 'tiny.yaml').read_text())
    values['optimizer']['lr'] = 0.003  # plain YAML reads 3e-3 as a string
    path = tmp_path / 'own.yaml'
    path.write_text(yaml.safe_dump(values | changes))
    return path


@pytest.mark.parametrize('name', PAPER)
def test_stages_hold_the_numbers_of_the_paper(name):
    recipe, _ = load_recipe(name)
    run, optimizer = recipe.run, recipe.optimizer
    modules, batch, accumulation, effective, lr, steps = PAPER[name]
    assert recipe.train == modules
    assert (run.batch, run.accumulation, run.steps, run.gpus) == (batch, accumulation, steps, 32)
    assert run.batch * run.accumulation * run.gpus == effective == recipe.expect.effective_batch
    assert optimizer.lr == lr
    assert (optimizer.beta1, optimizer.beta2, optimizer.eps) == (0.9, 0.95, 1e-8)
    assert (optimizer.weight_decay, optimizer.warmup, optimizer.clip) == (0.01, 0.03, 1.0)
    assert recipe.loss.control == 1.0 and recipe.data.max_chunks == 60
    assert run.precision == 'bf16' and run.gradient_checkpointing and run.sharding == 'zero2'


def test_stage_four_mixes_as_the_paper():
    assert load_recipe('stage4')[0].data.shares == {
        'history_review': 0.3, 'silent_verification': 0.4, 'proactive': 0.3}


def test_each_stage_goes_on_from_the_one_before():
    weights = [load_recipe(name)[0].model.weights for name in PAPER]
    assert weights == ['Qwen/Qwen2.5-Omni-3B', 'runs/stage1/model', 'runs/stage2/model',
                       'runs/stage3/model']


@pytest.mark.parametrize('changes, named', [
    ({'speed': 1}, 'speed'), ({'run': {'batch': 1, 'stepz': 5}}, 'stepz'),
    ({'optimizer': {'lr': 'fast'}}, r'optimizer\.lr'), ({'run': {'batch': 1}}, 'accumulation'),
    ({'train': ['ears']}, 'train'), ({'train': ['lm', 'head']}, 'lm alone'),
    ({'lora': {'rank': 0}}, r'lora\.rank'), ({'train': ['adapter'], 'lora': {}}, 'lora'),
    ({'data': {'shares': {'proactive': 1.5}}}, r'data\.shares'),
    ({'data': {'layout': 'a_t_x'}}, r'data\.layout')])
def test_a_wrong_recipe_is_refused_by_name(tmp_path, changes, named):
    with pytest.raises(ConfigurationError, match=named):
        load_recipe(write(tmp_path, **changes))


def test_a_missing_recipe_names_those_there_are(tmp_path):
    with pytest.raises(ConfigurationError, match='stage1'):
        load_recipe(tmp_path / 'none.yaml')


def test_single_values_can_be_replaced():
    recipe, _ = load_recipe('stage3', ['run.gpus=1', 'optimizer.lr=2e-5', 'lora.rank=8',
                                       'train=[lm]'])
    assert (recipe.run.gpus, recipe.optimizer.lr, recipe.lora.rank) == (1, 2e-5, 8)
    assert recipe.train == ('lm',) and recipe.run.batch == 4
    with pytest.raises(ConfigurationError, match='KEY=VALUE'):
        load_recipe('tiny', ['run.steps'])


@pytest.mark.parametrize('name', [*PAPER, 'tiny'])
def test_a_resolved_recipe_reads_back_equal(tmp_path, name):
    recipe, _ = load_recipe(name, ['lora.rank=4'] if name == 'stage3' else [])
    dump_recipe(recipe, tmp_path / 'recipe.yaml')
    assert load_recipe(tmp_path / 'recipe.yaml')[0] == recipe


def test_the_rate_rises_for_three_percent_and_falls_to_nothing():
    recipe, _ = load_recipe('stage3')
    rates = [learning_rate(recipe, step) for step in range(0, recipe.run.steps, 100)]
    peak = learning_rate(recipe, 2400)
    assert learning_rate(recipe, 0) == pytest.approx(peak / 2400)
    assert peak == max(rates) == 5e-5
    assert learning_rate(recipe, 2400 + 77_600 // 2) == pytest.approx(peak / 2)
    assert all(a > b for a, b in itertools.pairwise(rates[24:]))
    assert learning_rate(recipe, recipe.run.steps) == 0.0


def test_without_warm_up_the_first_rate_is_the_peak():
    recipe, _ = load_recipe('tiny', ['optimizer.warmup=0.0'])
    assert learning_rate(recipe, 0) == recipe.optimizer.lr


@pytest.mark.parametrize('name, processes', [('32xh100', 32), ('1gpu', 1)])
def test_launch_configurations_agree_with_the_recipes(name, processes):
    accelerate = yaml.safe_load((RECIPES / f'accelerate_{name}.yaml').read_text())
    file = RECIPES.parents[1] / accelerate['deepspeed_config']['deepspeed_config_file']
    deepspeed = json.loads(file.read_text())
    assert accelerate['num_processes'] == processes
    assert accelerate['distributed_type'] == 'DEEPSPEED'
    assert deepspeed['bf16']['enabled'] and deepspeed['zero_optimization']['stage'] == 2
    # What a recipe says is filled in by the trainer and has no second home.
    for key in ('gradient_clipping', 'gradient_accumulation_steps',
                'train_micro_batch_size_per_gpu', 'train_batch_size'):
        assert deepspeed[key] == 'auto'
    assert 'optimizer' not in deepspeed and 'scheduler' not in deepspeed


def test_a_recipe_cannot_be_changed_in_place():
    recipe, _ = load_recipe('tiny')
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.run.steps = 1
