"""
BLEU and chrF of translations, with intervals, as sacrebleu computes them.

Owns the measure. Knows no model and not where a translation comes from.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError
from held_out.pairs import sentence_key
from held_out.spoken_sentences import Sentence
from measure.intervals import Estimate, bootstrap

__all__ = ['compare', 'score']

ROUNDS = 200
_Group = list[tuple[Sentence, list[str]]]


def _metrics(target: str) -> dict[str, Any]:
    try:
        import sacrebleu
    except ImportError as error:
        raise MissingDependencyError('translation scores need sacrebleu; run: pip install -r '
                                     'requirements/eval.txt') from error
    return {'BLEU': sacrebleu.BLEU(tokenize='zh' if target == 'zh' else '13a'),
            'chrF': sacrebleu.CHRF()}


def _reference_streams(sentences: Sequence[Sentence]) -> list[list[str | None]]:
    """Return references as sacrebleu wants them: one list per rank, None where there is none."""
    most = max(len(sentence.references) for sentence in sentences)
    return [[sentence.references[rank] if rank < len(sentence.references) else None
             for sentence in sentences] for rank in range(most)]


def score(sentences: Sequence[Sentence], texts: Sequence[str]) -> dict[str, Any]:
    """
    Return BLEU and chrF (0 to 100) of texts beside sentences of one direction.

    The bootstrap draws sentences; one that several voices say is drawn with all of them.
    """
    result: dict[str, Any] = {}
    for name, metric in _metrics(sentences[0].direction[-2:]).items():
        result[name] = bootstrap(_group(sentences, texts), partial(_score, metric), rounds=ROUNDS)
        result[f'{name}_signature'] = str(metric.get_signature())
    return result


def compare(sentences: Sequence[Sentence], texts: Sequence[str],
            others: Sequence[str]) -> dict[str, Estimate]:
    """Return by how much BLEU and chrF of texts are above those of others, in pairs."""
    return {name: bootstrap(_group(sentences, texts, others), partial(_lead, metric),
                            rounds=ROUNDS)
            for name, metric in _metrics(sentences[0].direction[-2:]).items()}


def _group(sentences: Sequence[Sentence], *texts: Sequence[str]) -> list[_Group]:
    """Return sentences with what each wrote, those of the same words together."""
    groups: dict[str, _Group] = defaultdict(list)
    for sentence, *written in zip(sentences, *texts, strict=True):
        groups[sentence_key(sentence.text)].append((sentence, written))
    return list(groups.values())


def _lead(metric: Any, drawn: Sequence[_Group]) -> float:
    return _score(metric, drawn) - _score(metric, drawn, 1)


def _score(metric: Any, drawn: Sequence[_Group], which: int = 0) -> float:
    both = [pair for group in drawn for pair in group]
    return float(metric.corpus_score([written[which] for _, written in both], _reference_streams(
        [sentence for sentence, _ in both])).score)
