"""
``python -m eval.heldout_speech``: held-out sentences spoken, for ``python -m eval translation``.

Owns which sentences are spoken by whom: short English sentences of the pairs that training never
takes (train.edge.pairs.split) and that no voice of training says in the folders of ``--heard``,
each by one of the voices kept for validation or by hibari, which training hears as well and whose
lines are told by their voice. Voices and files are those of train.edge.synthesise, and a run that
was stopped goes on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audio_interaction_ros.errors import AudioInteractionError
from eval.material import MaterialError, chance
from eval.spoken import heard, parts
from train.edge.pairs import key, read_pairs, short, split
from train.edge.synthesise import (
    VALIDATION_VOICES,
    Utterance,
    available,
    sentences,
    speak_all,
)

__all__ = ['VOICES', 'main', 'plan', 'unheard']

VOICES = (*VALIDATION_VOICES, 'hibari:heart')


def unheard(path: Path, folders: Sequence[Path]) -> list[str]:
    """Return short held-out English sentences that no voice of training says, each once."""
    said, clear = heard(folders), set(sentences(path))
    held = short(split(read_pairs(path))[1])
    found = {key(pair.en): pair.en for pair in held if pair.en in clear
             and said.isdisjoint({key(pair.en), *map(key, parts(pair.en))})}
    return sorted(found.values(), key=lambda text: chance('spoken', key(text)))


def plan(texts: Sequence[str]) -> list[Utterance]:
    """Return who says what; both depend on the sentence only."""
    return [Utterance(name=f'{int(chance("name", key(text)) * 1e12):012d}', text=text,
                      voice=VOICES[int(chance('voice', key(text)) * len(VOICES))],
                      seed=int(chance('seed', key(text)) * 1e6), split='validation')
            for text in texts]


def main(arguments: Sequence[str] | None = None) -> int:
    """Speak, and say how many sentences there were to choose from; 2 for a wrong option."""
    parser = argparse.ArgumentParser(prog='python -m eval.heldout_speech',
                                     description=__doc__.splitlines()[1])
    parser.add_argument('--text', type=Path, required=True, metavar='TSV',
                        help='all sentence pairs of the training, columns en and zh')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--count', type=int, default=150)
    parser.add_argument('--heard', type=Path, nargs='*', default=[], metavar='FOLDER',
                        help='folders with the utterances that training heard')
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        texts = unheard(options.text, options.heard)
        if not texts:
            raise MaterialError(f'{options.text}: expected short held-out sentences that no '
                                'voice of training says, found none; give more pairs')
        options.out.mkdir(parents=True, exist_ok=True)
        seconds = speak_all(available(plan(texts[:options.count])), options.out, options.workers)
    except AudioInteractionError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{len(texts)} sentences to choose from; {seconds / 60:.1f} minutes in {options.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
