"""
What a stage of training is told, read strictly from YAML.

Owns every number of a stage and the learning rate at each step. Knows neither torch nor data: a
recipe can be read and checked on any machine. Where the paper (arXiv 2606.05121) states a
number, the default here is the paper's.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, dump_yaml, parse_yaml, read_yaml

__all__ = ['KINDS', 'LAYOUTS', 'MODULES', 'RECIPES', 'Data', 'Expect', 'Lora', 'Loss', 'Model',
           'Optimizer', 'Recipe', 'Run', 'dump_recipe', 'learning_rate', 'load_recipe',
           'read_recipe']

T = TypeVar('T')
RECIPES = Path(__file__).parents[1] / 'recipes'
"""Recipes that are part of the project; ``load_recipe`` finds them by name."""
MODULES = ('tower', 'adapter', 'new_embeddings', 'lm', 'head')
"""What a stage may train: the tower's body, its projector, the embeddings of structural ids, the
whole language model (embeddings and head included), the head alone."""
LAYOUTS = ('online', 'a_t_t', 'a_t', 't_t')
KINDS = ('history_review', 'silent_verification', 'proactive')
"""Kinds of streams that stage four mixes (p_hr, p_sil, p_pro of the paper)."""


def _require(condition: bool, key: str, expected: str, found: object) -> None:
    if not condition:
        raise ConfigurationError(
            f'{key}: expected {expected}, found {found!r}; change it in the recipe')


@dataclass(frozen=True, kw_only=True)
class Model:
    """Which model is trained and what it starts from."""

    shape: str
    """A ``config.yaml`` of the project's own layout, beside the recipe or a shipped one."""
    weights: str = ''
    """Folder (that an earlier stage wrote, or of Qwen2.5-Omni), repository id; '' = random."""
    chunk_s: float = 0.0
    """Seconds that the model hears at once, instead of what the shape says; 0: the shape's."""
    tokenizer: str = ''
    """tokenizer.json; '' = the one of the weights; 'bytes' = one id per byte."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which streams are learned from, and how."""

    streams: tuple[str, ...] = ()
    """Files of Stream records; ``fit --streams`` replaces them."""
    evaluation: tuple[str, ...] = ()
    """Held-out files of Stream records; none: a share of the streams is held out."""
    evaluation_share: float = 0.02
    layout: str = 'online'
    """online, or an offline layout: a_t_t, a_t, t_t (docs/training.md)."""
    lanes: tuple[str, ...] = ()
    """Names of the lanes that are samples, held-out ones too; none: every lane."""
    system: str = ''
    """System prompt of a_t_t, where the lane's prompt is what the user writes, and of a_t."""
    max_chunks: int = 60
    """L_max: chunks per sample; a longer stream becomes several samples."""
    max_positions: int = 2048
    """A sample with more positions than this is skipped and counted."""
    shares: dict[str, float] = field(default_factory=dict)
    """Share of samples drawn per kind (p_hr, p_sil, p_pro); the rest comes from all others."""
    cache: int = 0
    """Samples whose mel is kept in memory."""
    group: int = 1
    """Micro-batches that are sorted by length together, so that less of each is padding."""

    def __post_init__(self) -> None:
        _require(self.layout in LAYOUTS, 'data.layout', f'one of {LAYOUTS}', self.layout)
        _require(self.max_chunks >= 1, 'data.max_chunks', '1 or more', self.max_chunks)
        _require(self.group >= 1, 'data.group', '1 or more', self.group)
        _require(0 <= self.evaluation_share < 1, 'data.evaluation_share', '0 up to below 1',
                 self.evaluation_share)
        _require(set(self.shares) <= set(KINDS) and all(p >= 0 for p in self.shares.values())
                 and sum(self.shares.values()) <= 1 + 1e-9, 'data.shares',
                 f'shares of {KINDS} that sum to 1 at most', self.shares)


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank differences instead of whole matrices of the language model."""

    rank: int = 32
    alpha: float = 32.0
    """The difference is alpha / rank * B @ A."""
    targets: tuple[str, ...] = ('q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj',
                                'down_proj')

    def __post_init__(self) -> None:
        _require(self.rank >= 1, 'lora.rank', '1 or more', self.rank)
        _require(bool(self.targets), 'lora.targets', 'at least one', self.targets)


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """AdamW and its learning rate."""

    lr: float
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.01
    warmup: float = 0.03
    """Share of the steps in which the rate rises from 0 to lr."""
    clip: float = 1.0
    """Largest norm of the gradient."""

    def __post_init__(self) -> None:
        _require(self.lr > 0, 'optimizer.lr', 'more than 0', self.lr)
        _require(0 <= self.warmup <= 1, 'optimizer.warmup', '0 to 1', self.warmup)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Weights of the dual loss."""

    control: float = 1.0
    """Lambda: weight of control labels against text labels."""
    respond: float = 1.0
    """Extra weight of a label RESPOND; above 1 where silence is many times as common."""

    def __post_init__(self) -> None:
        _require(self.control >= 0, 'loss.control', '0 or more', self.control)
        _require(self.respond > 0, 'loss.respond', 'more than 0', self.respond)


@dataclass(frozen=True, kw_only=True)
class Run:
    """How long, how wide and how often."""

    batch: int
    """Samples per GPU and micro-step."""
    accumulation: int
    steps: int
    """Steps of the optimizer."""
    gpus: int = 32
    precision: str = 'bf16'
    """bf16 (float32 master weights) or fp32."""
    gradient_checkpointing: bool = True
    sharding: str = 'zero2'
    """zero2 (DeepSpeed) or none; ``plan`` computes memory for it."""
    seed: int = 0
    workers: int = 0
    """Processes that prepare samples; 0: the training process itself."""
    log_every: int = 10
    evaluate_every: int = 500
    evaluation_batches: int = 50
    generations: int = 2
    """Replies generated and logged per evaluation."""
    save_every: int = 1000
    keep: int = 3
    """Checkpoints kept, newest first."""

    def __post_init__(self) -> None:
        for name in ('batch', 'accumulation', 'steps', 'gpus', 'log_every', 'evaluate_every',
                     'save_every', 'keep'):
            _require(getattr(self, name) >= 1, f'run.{name}', '1 or more', getattr(self, name))
        _require(self.precision in ('bf16', 'fp32'), 'run.precision', 'bf16 or fp32',
                 self.precision)
        _require(self.sharding in ('zero2', 'none'), 'run.sharding', 'zero2 or none',
                 self.sharding)


@dataclass(frozen=True, kw_only=True)
class Expect:
    """What ``plan`` must find; a difference is an error."""

    tower_parameters: int | None = None
    lm_parameters: int | None = None
    trainable_parameters: int | None = None
    effective_batch: int | None = None
    steps: int | None = None
    gpu_memory_gib: float | None = None
    """The stage must fit a GPU of this size."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One stage of training."""

    name: str
    model: Model
    train: tuple[str, ...]
    """Some of MODULES."""
    optimizer: Optimizer
    run: Run
    data: Data = field(default_factory=Data)
    loss: Loss = field(default_factory=Loss)
    lora: Lora | None = None
    """None: modules are trained whole."""
    expect: Expect = field(default_factory=Expect)

    def __post_init__(self) -> None:
        _require(bool(self.train) and set(self.train) <= set(MODULES), 'train',
                 f'some of {MODULES}', self.train)
        _require('lm' not in self.train or self.lora is not None
                 or not {'head', 'new_embeddings'} & set(self.train), 'train',
                 'lm alone, as it includes head and embeddings (except with lora)', self.train)
        _require(self.lora is None or 'lm' in self.train, 'lora', 'none where lm is not trained',
                 self.lora)


def _set_value(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition('=')
    if not equals or not key:
        raise ConfigurationError(f'--set {change!r}: expected KEY=VALUE, such as run.steps=100')
    *parents, last = key.split('.')
    place = values
    for parent in parents:
        below = place.get(parent)
        place[parent] = place = dict(below) if isinstance(below, dict) else {}
    place[last] = parse_yaml(text, f'--set {change}') if text else ''


def load_recipe(name: str | Path, changes: Sequence[str] = ()) -> tuple[Recipe, Path]:
    """Return a recipe of one stage and its file, as ``read_recipe`` reads it."""
    return read_recipe(Recipe, name, changes)


def read_recipe(kind: type[T], name: str | Path,
                changes: Sequence[str] = ()) -> tuple[T, Path]:
    """
    Return a recipe of a kind and its file; ``name`` is a path or the name of a shipped recipe.

    ``changes`` (``run.steps=100``) replace single values before anything is checked. Raises
    ConfigurationError naming file and key for an unknown or missing key, a wrong type or value.
    """
    path = Path(name)
    if not path.is_file() and (RECIPES / f'{name}.yaml').is_file():
        path = RECIPES / f'{name}.yaml'
    if not path.is_file():
        raise ConfigurationError(
            f'{path}: expected a readable recipe or one of '
            f'{sorted(p.stem for p in RECIPES.glob("*.yaml"))}')
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigurationError(f'{path}: expected a mapping of keys, found {values!r}')
    for change in changes:
        _set_value(values, change)
    return build(kind, values, str(path)), path


def dump_recipe(recipe: Any, path: Path) -> None:
    """Write a recipe with every value, defaults included; ``read_recipe`` reads it back equal."""
    values = {key: value for key, value in _to_plain(dataclasses.asdict(recipe)).items()
              if value is not None}
    path.write_text(dump_yaml(values), encoding='utf-8')


def _to_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    return [_to_plain(item) for item in value] if isinstance(value, tuple) else value


def learning_rate(recipe: Recipe, step: int) -> float:
    """
    Return the rate of step 0, 1, … of a stage: linear warm-up, then half a cosine down to 0.

    A function of the step alone, so that a resumed run needs no state of a scheduler.
    """
    optimizer, steps = recipe.optimizer, recipe.run.steps
    warm = round(optimizer.warmup * steps)
    if step < warm:
        return optimizer.lr * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return optimizer.lr * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
