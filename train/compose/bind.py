"""
A script gets its clips: what is said by whom, which recording of a sound, which noise.

Owns the pool of clips and the lanes that a script asks for. Knows no samples and no positions.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from audio_interaction_ros.errors import AudioInteractionError
from train.compose.lanes import PROMPTS
from train.compose.script import Answer, LanePlan, Plan, Script, Step
from train.records import Clip
from train.speech.make import line_id
from train.stages import stable_seed

__all__ = ['NOISE_PROBABILITY', 'Pool', 'UnboundError', 'bind', 'scripts_of']

NOISE_PROBABILITY = 0.5
"""Share of streams with a bed of noise (field lesson); those that are about noise always have."""
NOISY_TASKS = ('translation_in_noise', 'speech_in_noise', 'scene_description')
SILENT_LANES = ('asr', 'translation')
"""Abilities in which people talk, but not to the assistant."""


class UnboundError(AudioInteractionError):  # noqa: N818 - counted, not a fault of the program
    """A script asks for a clip that the pool does not have."""

    def __init__(self, reason: str, detail: str) -> None:
        """Take the reason to count by and what is particular."""
        super().__init__(f'{reason}: {detail}; add such a clip or change the script')
        self.reason, self.detail = reason, detail


@dataclass(kw_only=True)
class Pool:
    """Clips by what they are for; a clip is noise or room by its tags."""

    by_id: dict[str, Clip] = field(default_factory=dict)
    sounds: dict[str, list[Clip]] = field(default_factory=lambda: defaultdict(list))
    speech: dict[str, list[Clip]] = field(default_factory=lambda: defaultdict(list))
    """Clips with a text, by label; '' for what has none."""
    noise: list[Clip] = field(default_factory=list)
    room: list[Clip] = field(default_factory=list)

    @classmethod
    def of(cls, clips: Iterable[Clip]) -> 'Pool':
        """Sort clips: tags noise and room, else by label; speech is found by its id."""
        pool = cls()
        for clip in clips:
            pool.by_id[clip.id] = clip
            if 'noise' in clip.tags:
                pool.noise.append(clip)
            if 'room' in clip.tags:
                pool.room.append(clip)
            if clip.text:
                pool.speech[clip.label].append(clip)
            elif clip.label:
                pool.sounds[clip.label].append(clip)
        return pool

    def find_sound(self, label: str, rng: np.random.Generator) -> Clip:
        """Return a clip of a label; raises Unbound."""
        clips = self.sounds.get(label)
        if not clips:
            raise UnboundError('no clip of a sound', label)
        return clips[int(rng.integers(len(clips)))]

    def find_step(self, step: Step, voice: str, rng: np.random.Generator) -> Clip:
        """Return the clip of a step; raises Unbound."""
        if step.sound:
            return self.find_sound(step.sound, rng)
        name = step.clip or line_id(step.say, step.voice or voice, step.language)
        if name not in self.by_id:
            raise UnboundError('no speech for a sentence', step.say or step.clip)
        return self.by_id[name]


def lanes_of(script: Script, foreground: tuple[Clip, ...]) -> dict[str, LanePlan]:
    """Return the lanes that a script asks for: what is said, its translation, the assistant."""
    lanes = {}
    speech = [clip for clip in foreground if clip.text]
    if speech and all(clip.language in ('', 'en') for clip in speech):
        lanes['transcript'] = LanePlan(prompt=PROMPTS['transcript'], kind='words')
    if any(clip.translation for clip in speech):
        lanes['translation'] = LanePlan(prompt=PROMPTS['translation'], kind='phrases')
    if script.ability not in SILENT_LANES:
        lanes['assistant'] = LanePlan(
            prompt=PROMPTS['assistant'], kind='answers', answers=tuple(
                Answer(event=index, text=step.answer, emotion=step.emotion,
                       review_of=step.review_of)
                for index, step in enumerate(script.steps) if step.answer))
    return lanes


def bind(script: Script, pool: Pool, *,
         noise_probability: float = NOISE_PROBABILITY) -> Plan:
    """
    Return the plan of a script with clips drawn from the pool by the script's seed.

    Raises Unbound where the pool lacks a clip, PlanError where the script cannot be.
    """
    rng = np.random.default_rng(stable_seed(script.id, script.seed))
    foreground = tuple(pool.find_step(step, script.voice, rng) for step in script.steps)
    noisy = rng.random() < noise_probability or script.task in NOISY_TASKS
    noise = tuple(pool.noise[int(i)] for i in rng.integers(len(pool.noise), size=2)
                  ) if noisy and pool.noise else ()
    room = (pool.room[int(rng.integers(len(pool.room)))],) if pool.room else ()
    plan = Plan(
        id=script.id, ability=script.ability, task=script.task, seed=script.seed,
        foreground=foreground, noise=noise, room=room, scenario=script.scenario,
        background=tuple(pool.find_sound(label, rng) for label in script.background),
        ambient=tuple(pool.find_sound(label, rng) for label in script.ambient),
        lanes=lanes_of(script, foreground))
    plan.check()
    return plan


def scripts_of(clips: Iterable[Clip], *, most: int = 4, seed: int = 0) -> list[Script]:
    """
    Return scripts for speech that comes with its text: asr, or translation where it has one.

    One to ``most`` utterances of one speaker (the field of the clip) follow each other.
    """
    groups: dict[tuple[str, bool], list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.text:
            groups[clip.speaker, bool(clip.translation)].append(clip)
    scripts: list[Script] = []
    for (speaker, translated), members in sorted(groups.items()):
        rng = np.random.default_rng(stable_seed(seed, speaker, translated))
        waiting = [members[int(i)] for i in rng.permutation(len(members))]
        while waiting:
            count = int(rng.integers(1, most + 1))
            taken, waiting = waiting[:count], waiting[count:]
            chinese = {clip.language for clip in taken} == {'zh'}
            task = 'read_speech' if not translated else (
                'chinese_to_english' if chinese else 'english_to_chinese')
            number = len(scripts)
            scripts.append(Script(
                id=f'speech-{number:07d}', ability='translation' if translated else 'asr',
                task=task, seed=seed + number, voice=speaker,
                steps=tuple(Step(clip=clip.id) for clip in taken)))
    return scripts
