"""
BLEU and chrF of translations, with intervals, as sacrebleu computes them.

Owns the measure. Knows no model and not where a translation comes from.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError
from held_out.pairs import sentence_key
from held_out.spoken_sentences import Sentence
from measure.intervals import bootstrap

__all__ = ['score']

ROUNDS = 200


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
    groups: dict[str, list[tuple[Sentence, str]]] = defaultdict(list)
    for sentence, text in zip(sentences, texts, strict=True):
        groups[sentence_key(sentence.text)].append((sentence, text))
    result: dict[str, Any] = {}
    for name, metric in _metrics(sentences[0].direction[-2:]).items():
        def corpus_score(drawn: Sequence[list[tuple[Sentence, str]]],
                         metric: Any = metric) -> float:
            both = [pair for group in drawn for pair in group]
            return float(metric.corpus_score([text for _, text in both], _reference_streams(
                [sentence for sentence, _ in both])).score)
        result[name] = bootstrap(list(groups.values()), corpus_score, rounds=ROUNDS)
        result[f'{name}_signature'] = str(metric.get_signature())
    return result
