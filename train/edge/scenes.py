r"""
Scenes of the edge model as SoundFlow streams: what happens in each, and what each lane says of it.

Owns which clips a scene of a kind has and what its lanes answer to; mixing is ``train.compose``'s.
A scene hangs on its side, kind and number only. Leaves in a folder the stages ``clips``,
``signals`` and ``streams`` with their audio, and ``streams.jsonl``; a run that was stopped goes on
and leaves the same bytes.

    python -m train.edge.scenes --recipe edge --data DATA --speech SPEECH --split train --out OUT
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from held_out.pairs import read_pairs, split_pairs
from held_out.phrasebook import Phrasebook
from train.compose.command import compose_all
from train.compose.script import Answer, LanePlan, Plan
from train.edge.dialogue import reply_to
from train.edge.label import read_labels
from train.edge.layout import CHINESE, PROMPTS
from train.edge.library import Shelf, cut, make_clips, read_clips
from train.edge.recipe import EdgeRecipe, read_edge_recipe
from train.records import Clip
from train.stages import stable_seed

__all__ = ['plan_lanes', 'plan_scene', 'plan_scenes']

ABILITIES = {'speech': 'voice_chat', 'alert': 'proactive', 'harmless': 'environment_agent',
             'long': 'proactive', 'mandarin': 'translation'}
GAP_S, LONGEST_GAP_S = 0.95, 1.6
LONG_GAPS_S = {4.0: 4, 6.0: 3, 14.0: 2}
"""The longest pauses of scenes with things far apart, and how many things these have at most."""


def draw_clips(shelf: Shelf, rng: random.Random, kind: str) -> list[Clip]:
    """Return what happens one after the other in a scene of a kind; a long one has one thing."""
    if kind == 'speech':
        clips = [shelf.draw_speech(rng)]
        while rng.random() < 0.45 and sum(clip.seconds for clip in clips) < 4.0:
            clips.append(shelf.draw_speech(rng))
        return clips
    if kind == 'mandarin':
        return [*(shelf.draw_mandarin(rng) for _ in range(rng.choice((1, 1, 2)))),
                *(shelf.draw_speech(rng) for _ in range(rng.choice((0, 0, 1))))]
    if kind == 'alert':
        return [shelf.draw_alert(rng)]
    if kind == 'long':
        return draw_clips(shelf, rng, rng.choices(('speech', 'alert', 'harmless'),
                                                  (4, 4, 3))[0])[:1]
    if rng.random() < 0.65:
        return [shelf.draw_single(rng) for _ in range(rng.choice((2, 3, 4)))]
    return [cut(shelf.draw_lasting(rng), rng.uniform(3.0, 5.0), rng)
            for _ in range(rng.choice((1, 2)))]


def plan_scene(shelf: Shelf, recipe: EdgeRecipe, book: Phrasebook, kind: str,
               number: int) -> Plan:
    """
    Return the plan of scene ``number`` of a kind.

    A long one has two to four things far apart, for else a model would learn that something
    happens soon after a stream begins.
    """
    name = f'{shelf.side}-{kind}-{number:05d}'
    rng = random.Random(name)
    longest_s = rng.choice(list(LONG_GAPS_S)) if kind == 'long' else LONGEST_GAP_S
    clips = draw_clips(shelf, rng, kind)
    if kind == 'long':
        for _ in range(rng.randint(1, LONG_GAPS_S[longest_s] - 1)):
            clips += draw_clips(shelf, rng, kind)
    bed = (shelf.draw_lasting(rng),) if rng.random() < recipe.scenes[kind].bed else ()
    return Plan(id=name, ability=ABILITIES[kind], task=kind, seed=stable_seed(name),
                foreground=tuple(clips), ambient=bed, lanes=plan_lanes(clips, book),
                lead_s=(0.1, 0.75 * longest_s), gap_s=(GAP_S, longest_s))


def plan_lanes(clips: Sequence[Clip], book: Phrasebook) -> dict[str, LanePlan]:
    """
    Return what each lane says of these clips; the alerts of the assistant come with the mix.

    There is a translation lane where everything that is said has a translation: English by the
    book, and of Mandarin only that it was spoken.
    """
    said = {index: clip for index, clip in enumerate(clips) if clip.text}
    english = {index: clip.text for index, clip in said.items() if clip.language != 'zh'}
    translated = {index: clip.translation or book.translation(clip.text) or ''
                  for index, clip in said.items() if index in english}
    translated |= {index: CHINESE for index in said if index not in english}
    lanes = {'transcript': _lane('transcript', 'told', english),
             'assistant': _lane('assistant', 'answers', {
                 index: answer for index, text in english.items() if (answer := reply_to(text))})}
    if all(translated.values()):
        lanes['translation'] = _lane('translation', 'told', translated)
    return lanes


def _lane(name: str, kind: str, texts: dict[int, str]) -> LanePlan:
    return LanePlan(prompt=PROMPTS[name], kind=kind, answers=tuple(
        Answer(event=index, text=text) for index, text in sorted(texts.items())))


def plan_scenes(shelf: Shelf, recipe: EdgeRecipe, book: Phrasebook) -> Iterator[Plan]:
    """Yield the plans of all scenes of a side; without Mandarin speech none of that kind."""
    for kind, counts in recipe.scenes.items():
        if kind != 'mandarin' or shelf.mandarin:
            for number in range(getattr(counts, shelf.side)):
                yield plan_scene(shelf, recipe, book, kind, number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--recipe', default='edge')
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--speech', type=Path, required=True, action='append',
                        help='folder of train.edge.synthesise; may be given again')
    parser.add_argument('--labels', type=Path, help='texts from train.edge.label')
    parser.add_argument('--pairs', type=Path, help='sentence pairs, for the translation lane')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--split', default='train', choices=('train', 'validation'))
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args()
    recipe, out = read_edge_recipe(options.recipe), options.out.absolute()
    clips = make_clips(
        read_clips(options.data, options.speech, options.split,
                   read_labels(options.labels) if options.labels else {}), out,
        signals=recipe.signals, split=options.split, workers=options.workers)
    pairs = read_pairs(options.pairs) if options.pairs else []
    book = Phrasebook(split_pairs(pairs)[0] if options.split == 'train' and pairs else pairs)
    plans = list(plan_scenes(Shelf(clips, options.split), recipe, book))
    streams, report = compose_all(plans, root=Path('/'), out=out, workers=options.workers,
                                  mix=recipe.mix, clean=False)
    print(f'{len(streams)} streams, {report.audio_hours:.2f} h; left out: '
          f'{report.rejected or "nothing"}')


if __name__ == '__main__':
    main()
