"""
Scripts and plans: what shall happen in a stream, before and after clips were found for it.

Owns both records and what a valid one is. A script has only words (sentences to be spoken, labels
of sounds); a plan has clips. Knows no audio and no positions in time.
"""

from dataclasses import dataclass, field

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import Emotion
from train.records import ABILITIES, Clip

__all__ = ['LONGEST', 'Answer', 'LanePlan', 'Order', 'Plan', 'PlanError', 'Script', 'Step']

LONGEST = 15
"""Most foreground events of a stream (the paper plans 3 to 15 sub-events)."""
LANE_KINDS = ('words', 'phrases', 'answers', 'told')
ORDERS = ('before', 'not_together')
EMOTIONS = tuple(emotion.name.lower() for emotion in Emotion)


class PlanError(AudioInteractionError, ValueError):
    """A script or plan contradicts itself; whoever wrote it must change it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One foreground event of a script: something said, or a sound."""

    say: str = ''
    """Sentence that the user speaks; empty for a sound."""
    sound: str = ''
    """Label of a sound; empty for speech."""
    clip: str = ''
    """Id of one particular clip, instead of either."""
    language: str = 'en'
    translation: str = ''
    voice: str = ''
    """Who speaks, where it is not the script's voice."""
    answer: str = ''
    """What the assistant says when the step is over; empty: it stays silent."""
    emotion: str = 'normal'
    review_of: int | None = None
    """History review: index of the earlier step on whose content the answer depends."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """What is said and heard in a stream, in order."""

    id: str
    ability: str
    task: str
    seed: int
    steps: tuple[Step, ...]
    background: tuple[str, ...] = ()
    """Labels of sounds that happen at a random time beside the steps."""
    ambient: tuple[str, ...] = ()
    """Labels of sounds that span the whole stream."""
    voice: str = ''
    """Who speaks: one voice per script; empty: any."""
    scenario: str = ''


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an answers lane says when a foreground event is over."""

    event: int
    """Index in the plan's foreground."""
    text: str
    emotion: str = 'normal'
    review_of: int | None = None
    """Index of the earlier foreground event that the answer depends on."""


@dataclass(frozen=True, kw_only=True)
class LanePlan:
    """
    How a lane answers.

    Word by word, phrase by phrase, as the plan says plus alerts, or just as the plan says.
    """

    prompt: str
    kind: str
    """One of words, phrases, answers, told."""
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Order:
    """A rule between two events, by their place in foreground followed by background."""

    kind: str
    """before: first ends before second begins; not_together: they never overlap."""
    first: int
    second: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A stream to be composed: clips by role, and how each lane answers."""

    id: str
    ability: str
    task: str
    seed: int
    foreground: tuple[Clip, ...]
    background: tuple[Clip, ...] = ()
    ambient: tuple[Clip, ...] = ()
    noise: tuple[Clip, ...] = ()
    """Event-like and ambient noise over the whole stream; none or two."""
    room: tuple[Clip, ...] = ()
    """Recorded room noise for the gaps; none or one."""
    orders: tuple[Order, ...] = ()
    lanes: dict[str, LanePlan] = field(default_factory=dict)
    gap_s: tuple[float, float] = (0.8, 2.4)
    """Shortest and longest gap before each event and at the end (the release: 20-60 frames)."""
    lead_s: tuple[float, float] | None = None
    """The same before the first event; None: as between events."""
    scenario: str = ''

    def check(self) -> None:
        """Raise PlanError naming the field that cannot be."""
        count = len(self.foreground)
        rules = [
            (self.ability in ABILITIES, f'ability: expected one of {ABILITIES}, '
                                        f'got {self.ability!r}'),
            (1 <= count <= LONGEST, f'foreground: expected 1 to {LONGEST} events, got {count}'),
            (len(self.noise) in (0, 2), f'noise: expected none or 2, got {len(self.noise)}'),
            (len(self.room) < 2, f'room: expected none or 1, got {len(self.room)}'),
            (len(self.gap_s) == 2 and 0 <= self.gap_s[0] <= self.gap_s[1],
             f'gap_s: expected (shortest, longest) in seconds, got {self.gap_s}')]
        known = count + len(self.background)
        rules += [(order.kind in ORDERS and order.first != order.second
                   and 0 <= min(order.first, order.second)
                   and max(order.first, order.second) < known,
                   f'orders: expected two of {known} events and one of {ORDERS}, got {order}')
                  for order in self.orders]
        for name, lane in self.lanes.items():
            rules.append((lane.kind in LANE_KINDS,
                          f'lanes.{name}.kind: expected one of {LANE_KINDS}, got {lane.kind!r}'))
            rules += [(0 <= answer.event < count and answer.emotion in EMOTIONS
                       and (answer.review_of is None or 0 <= answer.review_of < answer.event),
                       f'lanes.{name}: {answer} answers an event that is not there, looks back '
                       f'at a later one or has an emotion that is none of {EMOTIONS}')
                      for answer in lane.answers]
        for holds, message in rules:
            if not holds:
                raise PlanError(f'plan {self.id}: {message}; change the plan')
