"""
The arms of the ablation: each one names what it changes, and changes nothing else.

Owns their names, what of the corpus or of the recipe is another in each, and the figure that the
paper prints for it. Knows neither clips nor models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_S

__all__ = ['ARMS', 'FULL', 'Arm', 'CorpusPlan', 'choose_arms', 'list_corpora']


@dataclass(frozen=True, kw_only=True)
class CorpusPlan:
    """How streams to learn from are made; every arm is measured on the same other audio."""

    name: str
    """Folder of the streams."""
    tfjp: bool = True
    """Recordings are cleaned before they are composed."""
    curated: bool = True
    """Sounds and questions stand where their scene has them; else they are dealt at random."""
    reviews: bool = True
    """Some chats end with a question about an earlier turn."""
    silence: bool = True
    """In some scenes of sounds nothing is to be said."""
    chunk_s: float = CHUNK_S
    """What the model hears at once; it is measured on streams in such chunks too."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train, compared with the full recipe."""

    name: str
    title: str
    corpus: CorpusPlan
    changes: tuple[str, ...] = ()
    """KEY=VALUE of the recipe."""
    loss_weight: float | None = None
    """Its place on the curve of lambda, where it is a point of it."""
    paper: float | None = None
    """Trigger accuracy in arXiv 2606.05121, where the paper gives one."""


WHOLE = CorpusPlan(name='full')
FULL = Arm(name='full', title='full recipe', corpus=WHOLE, loss_weight=1.0, paper=0.9677)
_CORPORA = (
    Arm(name='no-tfjp', title='no TFJP', paper=0.8535,
        corpus=CorpusPlan(name='no-tfjp', tfjp=False)),
    Arm(name='random', title='random concatenation', paper=0.8851,
        corpus=CorpusPlan(name='random', curated=False)),
    Arm(name='no-review', title='no history review',
        corpus=CorpusPlan(name='no-review', reviews=False)),
    Arm(name='no-silence', title='no silence verification',
        corpus=CorpusPlan(name='no-silence', silence=False)))
_WEIGHTS = tuple(
    Arm(name=f'lambda-{weight:g}', title=f'λ = {weight:g}', corpus=WHOLE, loss_weight=weight,
        changes=(f'loss.control={weight:g}',), paper=paper)
    for weight, paper in ((0.25, None), (0.5, 0.953), (2.0, 0.969), (4.0, None)))
_CHUNKS = tuple(
    Arm(name=f'chunk-{seconds}', title=f'chunks of {seconds} s',
        corpus=CorpusPlan(name=f'chunk-{seconds}', chunk_s=seconds),
        changes=(f'model.chunk_s={seconds}',)) for seconds in (0.2, 0.6, 0.8))
ARMS: dict[str, Arm] = {arm.name: arm for arm in (FULL, *_CORPORA, *_WEIGHTS, *_CHUNKS)}


def choose_arms(names: Sequence[str]) -> list[Arm]:
    """
    Return arms by name in the order of ARMS, all without names; the full recipe is always one.

    Raises ConfigurationError for a name that there is not.
    """
    unknown = sorted(set(names) - set(ARMS))
    if unknown:
        raise ConfigurationError(f'--arms: expected some of {" ".join(ARMS)}, got '
                                 f'{" ".join(unknown)}; correct the names')
    return [arm for arm in ARMS.values() if not names or arm is FULL or arm.name in names]


def list_corpora(arms: Sequence[Arm]) -> list[CorpusPlan]:
    """Return the corpora that some arms need, each once."""
    return list(dict.fromkeys(arm.corpus for arm in arms))
