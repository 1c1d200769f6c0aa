"""
Scripts of the demo corpus: short scenes of all seven abilities from a grammar of phrases.

Owns which tasks can be written without a downloaded corpus and how scenes are put together. Knows
no clips and no audio. Every script follows from its number and the seed.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.strict_yaml import read_yaml
from train.compose.script import Script, Step
from train.records import ABILITIES
from train.responses import P_HISTORY_REVIEW, P_SILENT
from train.stages import stable_seed

__all__ = ['PHRASES', 'Writer', 'estimate_s', 'load_phrases']

PHRASES = Path(__file__).with_name('phrases.yaml')
BESIDE = 0.25
"""Share of streams with a harmless sound at a random time beside what is said."""
COUNTED = ('order_and_count', 'recent_event', 'conditional_instruction', 'sound_open_question',
           'sound_choice_question')
"""Tasks that a further sound would make untrue."""
GAP_S, LETTER_S, SOUND_S = 1.6, 0.062, 3.0


def load_phrases(path: Path = PHRASES) -> dict[str, Any]:
    """Return the phrases by heading."""
    return read_yaml(path)


def estimate_s(script: Script) -> float:
    """Guess how long a script's stream will be, gaps included."""
    return GAP_S + sum(GAP_S + (len(step.say) * LETTER_S if step.say else SOUND_S)
                       for step in script.steps)


def make_step(entry: Sequence[str]) -> Step:
    return Step(say=entry[0], answer=entry[1], emotion=entry[2] if len(entry) > 2 else 'normal')


def capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


Draft = tuple[str, tuple[Step, ...], dict[str, Any]]
"""Task, steps and further fields of a script."""


class Writer:
    """Writes the n-th script of an ability."""

    def __init__(self, voices: Sequence[str], *, seed: int = 0,
                 book: Mapping[str, Any] | None = None, reviews: float = P_HISTORY_REVIEW,
                 silent: float = P_SILENT) -> None:
        """
        Take the English voices, the seed and the phrases (default: the shipped ones).

        ``reviews`` is the share of chats that look back, ``silent`` that of proactive scenes in
        which nothing is to be said; without it no other scene of sounds is silent either. A script
        that a share does not touch is the same at any share.
        """
        self._voices, self._seed = list(voices), seed
        self._reviews, self._silent = reviews, silent
        self._book = book or load_phrases()
        self._by_ability: dict[str, Callable[[np.random.Generator], Draft]] = {
            'voice_chat': self._voice_chat, 'instruction_following': self._instruction,
            'audio_understanding': self._understanding, 'translation': self._translation,
            'asr': self._asr, 'proactive': self._proactive,
            'environment_agent': self._environment}

    def write(self, ability: str, number: int) -> Script:
        """Return a script; the same number gives the same one."""
        name = f'{ability}-{number:05d}'
        rng = np.random.default_rng(stable_seed(self._seed, name))
        voice = str(rng.choice(self._voices))
        task, steps, more = self._by_ability[ability](rng)
        if task not in COUNTED and rng.random() < BESIDE:
            more = {**more, 'background': (str(rng.choice(self._book['harmless'])),)}
        return Script(id=name, ability=ability, task=task, steps=steps, voice=voice,
                      seed=stable_seed(self._seed, name) % 2 ** 31, **more)

    def write_hours(self, hours: float) -> list[Script]:
        """Return scripts of about so many hours, the same share of time for each ability."""
        scripts = []
        for ability in ABILITIES:
            seconds, number = 0.0, 0
            while seconds < hours * 3600 / len(ABILITIES):
                scripts.append(self.write(ability, number))
                seconds += estimate_s(scripts[-1])
                number += 1
        return scripts

    def _draw_entries(self, rng: np.random.Generator, heading: str, count: int) -> list[Any]:
        entries = self._book[heading]
        return [entries[int(i)] for i in rng.permutation(len(entries))[:count]]

    def _voice_chat(self, rng: np.random.Generator) -> Draft:
        if rng.random() < self._reviews:
            fact, = self._draw_entries(rng, 'facts', 1)
            x = str(rng.choice(fact['x']))
            between = [make_step(entry) for entry in self._draw_entries(
                rng, str(rng.choice(['open_conversation', 'fact_question'])), 3)]
            steps = (Step(say=fact['tell'].format(x=x), answer=fact['reply'].format(x=x)),
                     *between, Step(say=fact['ask'], answer=fact['answer'].format(x=x),
                                    review_of=0))
            return 'history_review', steps, {
                'scenario': 'A fact is told and asked for four turns later.'}
        task = str(rng.choice(['open_conversation', 'fact_question', 'emotional_support']))
        steps = tuple(make_step(entry) for entry
                      in self._draw_entries(rng, task, int(rng.integers(2, 5))))
        return task, steps, {'scenario': 'A conversation of some turns.'}

    def _instruction(self, rng: np.random.Generator) -> Draft:
        task = str(rng.choice(['spoken_instruction', 'knowledge_question', 'text_transformation',
                               'conditional_instruction']))
        if task != 'conditional_instruction':
            count = int(rng.integers(2, 5))
            return task, tuple(make_step(entry) for entry
                               in self._draw_entries(rng, task, count)), {}
        label = str(rng.choice(list(self._book['conditional'])))
        asked, said = self._book['conditional'][label]
        others = [name for name in self._book['harmless'] if name != label]
        waits = [Step(sound=str(rng.choice(others))) for _ in range(int(rng.integers(0, 3)))]
        steps = (Step(say=asked, answer='All right.'), *waits, Step(sound=label, answer=said))
        return task, steps, {'scenario': f'The assistant waits for {self._name_of(label)}.'}

    def _name_of(self, label: str) -> str:
        return str(self._book['sounds'][label])

    def _understanding(self, rng: np.random.Generator) -> Draft:
        if rng.random() < 0.3:
            return self._music(rng)
        label, other = (str(name) for name in rng.permutation(self._book['harmless'])[:2])
        sound, answer = Step(sound=label), f'It was {self._name_of(label)}.'
        if rng.random() < 0.5:
            question, = self._draw_entries(rng, 'open_questions', 1)
            return 'sound_open_question', (sound, Step(say=question, answer=answer)), {}
        x, y = (self._name_of(str(name)) for name in rng.permutation([label, other]))
        question = self._book['choice_question'].format(x=x, y=y)
        return 'sound_choice_question', (sound, Step(say=question, answer=answer)), {}

    def _music(self, rng: np.random.Generator) -> Draft:
        label = str(rng.choice(list(self._book['music'])))
        speed, way = self._book['music'][label]
        chosen = rng.random() < 0.5
        entry = self._draw_entries(rng, 'music_choice',
                                   1)[0] if chosen else self._book['music_open']
        step = Step(say=entry[0], answer=entry[1].format(speed=speed, way=way))
        return ('music_choice_question' if chosen else 'music_open_question',
                (Step(sound=label), step), {})

    def _translation(self, rng: np.random.Generator) -> Draft:
        noisy = rng.random() < 0.3
        steps = tuple(Step(say=english, translation=chinese) for english, chinese
                      in self._draw_entries(rng, 'pairs', int(rng.integers(2, 5))))
        return 'translation_in_noise' if noisy else 'english_to_chinese', steps, {}

    def _asr(self, rng: np.random.Generator) -> Draft:
        task = str(rng.choice(['read_speech', 'spontaneous_speech', 'several_speakers',
                               'speech_in_noise']))
        heading = 'spontaneous' if task == 'spontaneous_speech' else 'read'
        texts = self._draw_entries(rng, heading, int(rng.integers(2, 5)))
        voices = [str(rng.choice(self._voices)) if task == 'several_speakers' else ''
                  for _ in texts]
        return task, tuple(Step(say=text, voice=voice)
                           for text, voice in zip(texts, voices, strict=True)), {}

    def _proactive(self, rng: np.random.Generator) -> Draft:
        ambient = {'ambient': (str(rng.choice(list(self._book['scenes']))),)
                   } if rng.random() < 0.4 else {}
        harmless = [Step(sound=str(name)) for name in rng.permutation(
            self._book['harmless'])[:int(rng.integers(1, 4))]]
        label = str(rng.choice(list(self._book['critical'])))
        task = str(self._book['critical'][label])
        if rng.random() < self._silent:
            return task, tuple(harmless), {
                **ambient, 'scenario': 'Harmless sounds only: the assistant stays silent.'}
        steps = [*harmless[:2], Step(sound=label)]
        order = rng.permutation(len(steps))
        return task, tuple(steps[int(i)] for i in order), {
            **ambient, 'scenario': f'Among other sounds there is {self._name_of(label)}.'}

    def _environment(self, rng: np.random.Generator) -> Draft:
        scene = str(rng.choice(list(self._book['scenes'])))
        more = {'ambient': (scene,), 'scenario': f'{self._book["scenes"][scene]}.'}
        labels = [str(name) for name in rng.permutation(self._book['harmless'])[
            :int(rng.integers(2, 4))]]
        heard = tuple(Step(sound=label) for label in labels)
        asked = ['scene_description', 'recent_event', 'order_and_count']
        task = str(rng.choice([*asked, 'silent_verification']))
        if task == 'silent_verification' and not self._silent:
            task = str(rng.choice(asked))
        if task == 'silent_verification':
            speech = Step(say=str(rng.choice(self._book['read'])))
            return task, (*heard, speech) if rng.random() < 0.5 else heard, more
        return task, (*heard[:1 if task == 'scene_description' else 3],
                      self._question(task, labels, scene, rng)), more

    def _question(self, task: str, labels: list[str], scene: str,
                  rng: np.random.Generator) -> Step:
        if task == 'scene_description':
            question, = self._draw_entries(rng, 'scene_questions', 1)
            return Step(say=question, answer=f'{self._book["scenes"][scene]}, and there was '
                                             f'{self._name_of(labels[0])}.')
        if task == 'recent_event':
            question, = self._draw_entries(rng, 'recent_questions', 1)
            return Step(say=question, answer=f'There was {self._name_of(labels[-1])}.')
        if rng.random() < 0.5:
            return Step(say=self._book['first_question'],
                        answer=f'{capitalise(self._name_of(labels[0]))} came first.')
        count = {2: 'two', 3: 'three'}[len(labels)]
        return Step(say=self._book['count_question'], answer=f'I heard {count} sounds.')
