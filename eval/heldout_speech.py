"""
``python -m eval.heldout_speech``: held-out sentences spoken, for ``python -m eval translation``.

Owns which sentences are spoken by whom: short English sentences of the pairs that training never
takes (held_out.pairs.split_pairs) and that no voice of training says in the folders of
``--heard``, each by one of the voices kept for validation or by hibari, which training hears as
well and whose lines are told by their voice. Voices and files are those of train.edge.synthesise,
and a run that was stopped goes on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audio_interaction_ros.errors import AudioInteractionError
from held_out.clips import MaterialError
from held_out.pairs import keep_short, read_pairs, sentence_key, split_pairs
from held_out.splits import chance_of
from held_out.spoken_sentences import read_trained_keys, sentences_of
from train.edge.speech_plan import VALIDATION_VOICES, Utterance, read_sentences
from train.edge.synthesise import check_voices, speak_all

__all__ = ['VOICES', 'main', 'plan_speech', 'unheard_sentences']

VOICES = (*VALIDATION_VOICES, 'hibari:heart')


def unheard_sentences(path: Path, folders: Sequence[Path]) -> list[str]:
    """Return short held-out English sentences that no voice of training says, each once."""
    said, clear = read_trained_keys(folders), set(read_sentences(path))
    held = keep_short(split_pairs(read_pairs(path))[1])
    sentence_of = {sentence_key(pair.en): pair.en for pair in held if pair.en in clear
                   and said.isdisjoint({sentence_key(pair.en),
                                        *map(sentence_key, sentences_of(pair.en))})}
    return sorted(sentence_of.values(), key=lambda text: chance_of('spoken', sentence_key(text)))


def plan_speech(texts: Sequence[str]) -> list[Utterance]:
    """Return who says what; both depend on the sentence only."""
    return [Utterance(name=f'{int(chance_of("name", sentence_key(text)) * 1e12):012d}', text=text,
                      voice=VOICES[int(chance_of('voice', sentence_key(text)) * len(VOICES))],
                      seed=int(chance_of('seed', sentence_key(text)) * 1e6), split='validation')
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
        texts = unheard_sentences(options.text, options.heard)
        if not texts:
            raise MaterialError(f'{options.text}: expected short held-out sentences that no '
                                'voice of training says, found none; give more pairs')
        options.out.mkdir(parents=True, exist_ok=True)
        seconds = speak_all(check_voices(plan_speech(texts[:options.count])), options.out,
                            options.workers)
    except AudioInteractionError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{len(texts)} sentences to choose from; {seconds / 60:.1f} minutes in {options.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
