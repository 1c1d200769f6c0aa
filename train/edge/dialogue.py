"""
The short exchanges of the assistant lane: what a robot that only hears answers, and when not.

Owns the catalogue of questions and orders with their answers, and utterances drawn from it for
training. Knows no sound and no model. An answer says nothing that ears alone cannot
know; it repeats what was asked for, so that a misheard word shows. Statements, open questions
and talk between people get no answer; an order that names the robot and is not in the catalogue
gets ``UNKNOWN``, for a fluent invention would be worse. What was asked for is not repeated where
``config/alerts.yaml`` would make an alert of it. No call for rescue is promised, nor a weapon.

A phrase of the catalogue is both drawn from and matched against: ``[so]`` may be missing,
``(a|b)`` is one of both, ``{slot}`` stands for words of ``SLOTS``. Only a whole sentence matches.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.resources import shipped_path
from train.edge.emergencies import EMERGENCIES, UNFINISHED
from train.edge.near_misses import FIRST, FRIENDS, NONSENSE, PEOPLE

__all__ = ['CATALOGUE', 'UNKNOWN', 'URGENT', 'Exchange', 'fill_template', 'command_texts',
           'draw_text', 'draw_known',
           'draw_near_miss', 'reply_to', 'write_sentence', 'draw_texts']

UNKNOWN = 'I did not catch that.'
LONGEST = 9
"""Words of an answer; the place is left out of a longer one."""

VERBS = ('bring', 'give', 'find', 'show', 'hand', 'get')
THINGS = ('the red cup', 'a glass of water', 'my glasses', 'the blue box', 'a towel', 'my phone',
          'the remote control', 'some fruit', 'the first aid kit', 'my medicine', 'the toolbox',
          'a screwdriver', 'the newspaper', 'the green bag', 'an empty tray', 'two batteries')
PLACES = ('the kitchen', 'the living room', 'the bedroom', 'the garage', 'the hallway',
          'the charging station', 'the front door', 'the workshop', 'room twelve', 'the lift')
QUESTIONS = ('what time is it', 'how is the weather today', 'where are my keys',
             'who is at the door', 'is the door locked', 'did you hear that',
             'what is your battery level', 'can you help me', 'how far is it to the station')
ORDERS = ('stop', 'stop right there', 'turn left', 'turn right', 'go forward slowly',
          'come back here', 'follow me', 'wait here', 'turn off the lights', 'turn on the radio',
          'close the window', 'open the door', 'start the vacuum cleaner', 'be quiet please',
          'set a timer for ten minutes', 'wake me up at seven', 'call my daughter',
          'move a little closer', 'put it on the table', 'help me please', 'pick it up')
NAMES = ('', '', '', 'robot, ', 'okay robot, ', 'please, ', 'hey, ', 'listen, ')

MORE_THINGS = ('the yellow bottle', 'my coat', 'the black umbrella', 'a cup of tea', 'the keys',
               'an apple', 'my shoes', 'the blanket', 'a clean plate', 'the small hammer', 'a pen',
               'three oranges', 'the white shirt', 'some bread', 'the letter', 'my hat', 'a spoon',
               'the orange juice', 'a pillow', 'the camera', 'my book', 'the charger', 'some milk')
MORE_PLACES = ('the bathroom', 'the office', 'the garden', 'the dining room', 'the basement',
               'the library', 'the balcony', 'room four', 'the entrance', 'my desk', 'the car',
               'the meeting room', 'the laundry room', 'the back door', 'the sofa', 'the window')
NUMBERS = ('one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'twelve',
           'fifteen', 'twenty', 'thirty', 'forty', 'forty-five', 'sixty', 'ninety')

# What a slot takes in when it is heard: wider than what is drawn, but a noun phrase.
_STOP = ('and|or|but|that|who|which|what|from|to|into|in|on|off|up|out|at|with|for|by|about|'
         'when|if|because|than|as|is|are|was|were|be|will|would|can|not|me|you|i|he|she|they|we|us|'
         'him|eyes|mouth|please|now|robot|here|there|again|so')
_WORD = rf"(?!(?:{_STOP})\b)[a-z0-9][a-z0-9'-]* "
_NOUN = rf'(?:(?:the|a|an|some|my|your|our|his|her|this|another|{"|".join(NUMBERS[:10])}) {_WORD}'
_THING = rf'(?:{_NOUN}(?:{_WORD}){{0,2}}(?:of {_WORD})?)|it |them )'
_PLACE = rf'(?:{_NOUN}(?:{_WORD}){{0,2}})|room {_WORD})'
_RESCUE = ('(?:(?:(?:the|an|a|some) )?(?:police|ambulance|paramedics|firefighters|rescue|fire '
           '(?:brigade|department|service)|emergency(?: services?| number)?)|(?:some )?help|'
           '9-?1-?1|1-?1-?2|9-?9-?9|nine (?:one one|nine nine|eleven)|one (?:one two|twelve)) ')
_WEAPONS = re.compile(r'\b(guns?|pistol|rifle|shotgun|revolver|weapons?|kni(fe|ves)|dagger|sword|'
                      r'bomb|grenade|explosives|bullets|ammunition|axe|machete|firearm)\b', re.I)
_COUNT = '(?:(?:' + '|'.join(NUMBERS) + r'|an?|half|[0-9]+)[ -])+'


@dataclass(frozen=True)
class Slot:
    """What is drawn for a slot, and what it matches (each word followed by a space)."""

    drawn: tuple[str, ...]
    heard: str


SLOTS = {
    'verb': Slot(VERBS, '(?:bring|give|find|show|hand|get|fetch) '),
    'thing': Slot(THINGS + MORE_THINGS, _THING),
    'mine': Slot(('my keys', 'my glasses', 'my phone', 'my shoes', 'the remote control',
                  'the scissors', 'my medicine'), _THING),
    'place': Slot(PLACES + MORE_PLACES, _PLACE),
    'device': Slot(('the lights', 'the radio', 'the television', 'the heating', 'the fan',
                    'the lamp', 'the music', 'the kitchen light', 'the oven', 'it'), _THING),
    'machine': Slot(('the vacuum cleaner', 'the dishwasher', 'the washing machine', 'the pump',
                     'the coffee machine', 'the printer', 'the motor'), _THING),
    'opening': Slot(('the door', 'the window', 'the front door', 'the curtains', 'the gate',
                     'the box', 'the fridge', 'the drawer', 'the garage door'), _THING),
    'onto': Slot(('on the table', 'on the shelf', 'in the box', 'in the sink', 'on the floor',
                  'on my desk', 'in the cupboard'), f'(?:on|in|into|onto) {_PLACE}'),
    'person': Slot(('my daughter', 'my son', 'my wife', 'the doctor', 'Tom', 'Mary', 'my mother',
                    'the nurse', 'Sandra', 'my neighbour', 'the office', 'Peter', 'my sister'),
                   rf'(?:(?:my|the|our|a|his|her) {_WORD}|(?!(?:it|off|the|my)\b){_WORD})'
                   rf'(?:{_WORD})?'),
    'minutes': Slot((*(f'{n} minutes' for n in NUMBERS[1:]), 'half an hour', 'an hour',
                     'one minute', 'two hours', 'thirty seconds'),
                    f'{_COUNT}(?:minutes?|hours?|seconds?) '),
    'time': Slot(('seven', 'eight', 'six thirty', 'half past six', 'noon', 'nine', 'ten'),
                 rf'(?:{_WORD}){{1,3}}'),
    'rescue': Slot(('the police', 'an ambulance', 'the fire brigade', 'the fire department',
                    'help', 'nine one one', 'one one two', 'emergency services'), _RESCUE),
    'state': Slot(('locked', 'open', 'closed', 'shut'), '(?:locked|unlocked|open|closed|shut) '),
}


@dataclass(frozen=True)
class Exchange:
    """One answer and the phrases that call for it."""

    answer: str
    phrases: tuple[str, ...]
    kind: str = 'order'
    """emergency | order | question | unfinished | social; see RANKS."""


def _list_questions() -> tuple[Exchange, ...]:
    return tuple(Exchange(answer, tuple(phrases), 'question') for answer, *phrases in (
        ('You can call me robot.', '(what is|tell me) your name', 'what are you called',
         'do you have a name', 'what should I call you'),
        ('I am a robot that listens.', '(who|what) are you', 'tell me who you are'),
        ('Yes, I hear you.', '(can|do) you hear me [now|well]', 'do you understand me'),
        ('Yes, I am here.', 'are you [still] (there|here|on|awake)', 'is anybody there'),
        ('Yes, I am listening.', 'are you [still] listening [to me]', 'did you hear (that|me|it)'),
        ('I listen, write, translate and warn.', 'what can you do [for me]',
         'what are you (good|there) for', 'how can you help [me|us]'),
        ('I am well, thank you.', 'how are you [doing|feeling] [today]', 'are you (okay|well)'),
        ('I am here. Tell me what you need.', 'can you help (me|us)', '[I need your] help',
         'help (me|us)', 'I need [some] help'),
        ('I have no clock.', 'what time is it', 'what is the time', 'what day is it [today]',
         'do you (know|have) the time', 'tell me the time', 'what is the date [today]'),
        ('I do not know the weather.', 'how is the weather [today|outside]',
         'what is the weather [like] [today|outside]', 'is it (cold|warm) outside'),
        ('I cannot see {mine}.', 'where (is|are) {mine}', 'have you seen {mine}',
         'do you know where {mine} (is|are)', 'do you see {mine}'),
        ('I cannot see {opening}.', '(is|are) {opening} {state}', 'who is at {opening}'),
        ('No, I can only hear.', 'can you see [me|us|that|it]', 'do you see (me|us|that)',
         'do you have (eyes|a camera)', 'what do you see', 'what can you see'),
        ('I cannot read my battery.', 'what is your battery level', 'how full is your battery',
         'is your battery (low|full)', 'do you need [to] charge'),
        ('I do not know the way.', 'how far is it to {place}', 'how do I get to {place}',
         'which way is {place}'),
        ('I am right here.', 'where are you'),
        ('Yes, I am a robot.', 'are you a (robot|machine|computer)', 'are you [a] human'),
        ('I translate English and Chinese.', 'do you speak (English|Chinese)',
         'what languages do you speak', 'can you (speak|translate|understand) (English|Chinese)'),
        ('I do not know my age.', 'how old are you'),
        ('I know no jokes.', 'tell me a joke', 'do you know (a joke|any jokes)'),
    ))


def _list_orders() -> tuple[Exchange, ...]:
    return tuple(Exchange(answer, tuple(phrases)) for answer, *phrases in (
        ('I cannot phone anyone.', '(call|phone|ring) [for] {rescue} [here]', 'dial {rescue}',
         '(get|fetch|send|bring) [me|us] {rescue}'),
        ('Stopping.', 'stop [it|that|moving|right there|here]', 'halt', 'freeze', 'do not move'),
        ('{verb} {thing}.', '{verb} me {thing}', '{verb} {thing} [to me]', '{verb} us {thing}'),
        ('{verb} {thing} from {place}.', '{verb} [me] {thing} from {place}',
         'go to {place} and {verb} me {thing}'),
        ('Going to {place}.', '(go|drive|move|run|walk) [over|back] to {place}'),
        ('Following you.', 'follow me', 'come (with|after) me'),
        ('Coming.', 'come [over|right] (here|to me)', 'come closer to me'),
        ('Coming back.', 'come back [here|to me]', 'return [here|to me]'),
        ('Turning left.', '(turn|go) [to the] left'),
        ('Turning right.', '(turn|go) [to the] right'),
        ('Turning around.', 'turn (around|round|back)'),
        ('Going forward.', '(go|move|drive) (forward|ahead|straight ahead|straight on) [slowly]'),
        ('Moving back.', '(go|move|step) back [a little|a bit]', 'back (up|off)',
         '(go|move) backwards'),
        ('Moving closer.', '(move|come) [a little|a bit] closer'),
        ('Waiting.', 'wait [a (minute|moment|second)|for me|here|there]',
         'hold on [a (minute|moment|second)]'),
        ('Staying here.', 'stay [right] (here|there|where you are)'),
        ('I will be quiet.', '(be|keep|stay) quiet', 'quiet', 'stop talking', 'be silent'),
        ('Going away.', 'go away', 'leave me alone'),
        ('Slowing down.', 'slow down', 'go (slower|more slowly)', 'not so fast'),
        ('Going faster.', 'go faster', 'speed up', 'hurry [up]'),
        ('Turning on {device}.', '(turn|switch) on {device}', '(turn|switch) {device} on'),
        ('Turning off {device}.', '(turn|switch) off {device}', '(turn|switch) {device} off'),
        ('Opening {opening}.', 'open {opening}', 'open up {opening}'),
        ('Closing {opening}.', '(close|shut) {opening}'),
        ('Locking {opening}.', 'lock {opening}'),
        ('Starting {machine}.', 'start {machine}', 'start up {machine}'),
        ('Stopping {machine}.', 'stop {machine}'),
        ('Cleaning {place}.', '(clean|vacuum|tidy) [up] {place}', 'clean up {place}'),
        ('Timer for {minutes}.', '(set|start) a timer (for|of) {minutes}',
         'remind me in {minutes}', 'timer for {minutes}'),
        ('Waking you at {time}.', 'wake me [up] at {time}'),
        ('Calling {person}.', 'call {person}', '(phone|ring) {person}'),
        ('Picking it up.', 'pick (it|that|this) up', 'pick up {thing}'),
        ('Putting {thing} {onto}.', '(put|place|lay) {thing} {onto}'),
        ('Taking {thing} to {place}.', '(take|carry|bring) {thing} to {place}'),
        ('Going to charge.', '(go [and|to]|please) charge [yourself]', 'charge your battery'),
        ('I am awake.', 'wake up'),
        ('I am listening.', 'listen [to me]', 'pay attention', 'robot'),
        ('Cancelled.', 'never mind', 'cancel [that|it]', 'forget it'),
    ))


def _list_social() -> tuple[Exchange, ...]:
    return tuple(Exchange(answer, tuple(phrases), 'social') for answer, *phrases in (
        ('Hello.', '(hello|hi|hey) [there]', 'good (morning|afternoon|evening)',
         'nice to meet you'),
        ('You are welcome.', '(thank you|thanks) [very much|so much|a lot|for your help]',
         'many thanks'),
        ('Thank you.', '(well done|good job|good robot)', 'you are (great|very helpful)'),
        ('Goodbye.', '(goodbye|bye|bye bye)', 'see you [later|tomorrow|soon]'),
        ('Good night.', 'good night', 'sleep well'),
    ))


CATALOGUE = (*_list_questions(), *_list_orders(), *_list_social())
"""What the second mixture of speech is drawn from: an entry more would change all of it."""
URGENT = (*(Exchange(answer, tuple(phrases), 'emergency') for answer, *phrases in EMERGENCIES),
          Exchange(UNKNOWN, UNFINISHED, 'unfinished'))
"""Emergencies are matched before CATALOGUE, what was cut off after it."""
_ASKED = Exchange('I am here. Tell me what you need.',
                  ('(can|could|would|will) you [please] help (me|us) [please]',), 'question')
"""No emergency, though "help me" is what is left of it without its politeness."""
RANKS = (('emergency',), ('order', 'question'), ('unfinished',), ('social',))
"""Of several sentences the last one of the first rank that is there is answered."""

_MIRROR = {'my': 'your', 'your': 'my', 'me': 'you', 'our': 'your'}
_GERUNDS = {'give': 'giving', 'get': 'getting'}
_OPENERS = ('robot', 'please', 'hey', 'hi', 'hello', 'listen', 'okay', 'ok', 'well', 'so', 'now',
            'then', 'just', 'um', 'uh', 'excuse me', '(?:can|could|would|will) you',
            "I(?: want| need| would like|'d like) you to")
_CLOSERS = ('robot', 'please', 'now', 'right now', 'right away', 'quickly', 'thank you', 'thanks',
            'for me', '(?:will|would) you', 'immediately', 'today', 'then')
_BEFORE = tuple(re.compile(f'{words} (?:, )?', re.IGNORECASE) for words in _OPENERS)
_AFTER = tuple(re.compile(f'(?:, )?\\b{words} $', re.IGNORECASE) for words in _CLOSERS)
_ADDRESSED = re.compile(r"^\W*(?:(?:okay|ok|hey|hi|hello|listen|please),? robot\b(?!')|robot,)"
                        r'|, robot\W*$', re.IGNORECASE)
_SHORT = (("what's", 'what is'), ("who's", 'who is'), ("where's", 'where is'), ("i'm", 'I am'),
          ("how's", 'how is'), ("you're", 'you are'), ("don't", 'do not'), ("can't", 'can not'),
          ("i've", 'I have'), ("it's", 'it is'), ("there's", 'there is'), ("isn't", 'is not'))


@cache
def _load_rules() -> AlertRules:
    return load_rules(shipped_path('config/alerts.yaml'))


@cache
def _compile_patterns() -> tuple[tuple[re.Pattern[str], Exchange], ...]:
    """Return the catalogue as regular expressions over words, each followed by a space."""
    return tuple((re.compile(_to_pattern(phrase), re.IGNORECASE), exchange)
                 for exchange in (_ASKED, *URGENT[:-1], *CATALOGUE, URGENT[-1])
                 for phrase in exchange.phrases)


def _to_pattern(phrase: str) -> str:
    signs = {'[': '(?:', ']': ')?', '(': '(?:', ')': ')', '|': '|'}
    parts = []
    for token in re.findall(r"\{\w+\}|[\[\]()|]|[\w']+", phrase):
        if token[0] == '{':
            parts.append(f'(?P<{token[1:-1]}>{SLOTS[token[1:-1]].heard})')
        else:
            parts.append(signs.get(token) or f'(?:, )?{token} ')
    return ''.join(parts)


def _split_words(part: str) -> str:
    """Return words and inner commas, each with a space after it, contractions written out."""
    text = part.replace('\u2019', "'")
    text = text.lower() if text.isupper() else text
    for short, long in _SHORT:
        text = re.sub(rf'\b{short}\b', long, text, flags=re.IGNORECASE)
    words = re.findall(r"[A-Za-z0-9][A-Za-z0-9'-]*|,", text)
    return ''.join(f'{word} ' for word in words).strip(' ,') + ' '


def _fill_answer(exchange: Exchange, slots: dict[str, str]) -> str:
    """Put what was heard into an answer: mirrored, short, and nothing that raises an alert."""
    said = {name: ' '.join(_MIRROR.get(word.lower(), word) for word in value.split())
            for name, value in slots.items()}
    for name, value in said.items():
        if name == 'verb':
            verb = value.lower()
            said[name] = _GERUNDS.get(verb, f'{verb}ing').capitalize()
    if exchange.kind == 'order' and _WEAPONS.search(' '.join(said.values())):
        return UNKNOWN
    if '{' not in exchange.answer:
        return exchange.answer
    answer = exchange.answer.format(**said)
    if any(_load_rules().match(text) for text in (*said.values(), answer)):
        return 'Okay.' if exchange.kind == 'order' else 'I cannot tell.'
    answer = re.sub(r' (on|off) (it|them)\.', r' \2 \1.', answer)
    return answer if len(answer.split()) <= LONGEST else re.sub(
        r' (?:from|to|on|in|into|onto) .*', '.', answer)


def _find_exchange(words: str) -> tuple[str, str] | None:
    """Return the kind and the answer to a bare sentence; try it again without its politeness."""
    for pattern, exchange in _compile_patterns():
        if match := pattern.fullmatch(words):
            return exchange.kind, _fill_answer(exchange, match.groupdict(''))
    rests = [words[hit.end():] for opener in _BEFORE if (hit := opener.match(words))]
    rests += [words[:hit.start()] for closer in _AFTER if (hit := closer.search(words))]
    return next(filter(None, map(_find_exchange, filter(str.strip, rests))), None)


def reply_to(text: str) -> str | None:
    """
    Return the answer to what was said, or None where the robot keeps silent.

    Of several sentences one is answered, see RANKS. What names the robot and is not in the
    catalogue gets ``UNKNOWN``, and so does an order that was cut off.
    """
    answers = dict[tuple[str, ...], str]()
    for part in re.split(r'(?<=[.?!])\s+', text.strip()):
        kind, answer = _find_exchange(_split_words(part)) or ('', '')
        if answer and not (kind == 'unfinished' and part.endswith('?')):
            answers[next(rank for rank in RANKS if kind in rank)] = answer
    said = next((answers[rank] for rank in RANKS if rank in answers), None)
    return said or (UNKNOWN if _ADDRESSED.search(text) else None)


def command_texts(rng: random.Random) -> Iterator[str]:
    """Yield orders and questions to a robot, for ever; what the first batch of speech says."""
    while True:
        kind = rng.randrange(4)
        if kind == 0:
            body = f'{rng.choice(VERBS)} me {rng.choice(THINGS)}'
            body += rng.choice(['', f' from {rng.choice(PLACES)}', ' please'])
        elif kind == 1:
            body = f'go to {rng.choice(PLACES)}'
            body += rng.choice(['', f' and {rng.choice(VERBS)} me {rng.choice(THINGS)}', ' now'])
        else:
            body = rng.choice(QUESTIONS) + '?' if kind == 2 else rng.choice(ORDERS)
        text = rng.choice(NAMES) + body
        yield text[0].upper() + text[1:] + ('' if text.endswith('?') else '.')


def draw_text(phrase: str, rng: random.Random) -> str:
    """Return one of the texts that a phrase of the catalogue stands for."""
    while re.search(r'[\[(]', phrase):
        phrase = re.sub(r'([\[(])([^\[\]()]*)[\])]', lambda group: (
            '' if group[1] == '[' and rng.random() < 0.5 else rng.choice(group[2].split('|'))),
            phrase)
    text = re.sub(r'\{(\w+)\}', lambda slot: rng.choice(SLOTS[slot[1]].drawn), phrase)
    return ' '.join(text.split())


def write_sentence(body: str, end: str = '.') -> str:
    """Return words with a capital letter at the beginning and an end sign."""
    return body[0].upper() + body[1:] + end


def draw_known(rng: random.Random) -> str:
    """Return an order, question or greeting of the catalogue, often polite or with the name."""
    weights = [1 + 2 * any('{' in phrase for phrase in exchange.phrases) for exchange in CATALOGUE]
    exchange = rng.choices(CATALOGUE, weights)[0]
    body = draw_text(rng.choice(exchange.phrases), rng)
    question = exchange.kind == 'question' and not body.startswith(('tell', 'help', 'I '))
    if exchange.kind == 'order' and rng.random() < 0.4:
        polite = rng.choice(['please {}', '{} please', 'could you {}', 'can you {}', '{} now',
                             'would you please {}', 'I want you to {}', '{}, please'])
        body, question = polite.format(body), polite.startswith(('could', 'can', 'would'))
    name = rng.choice(['', '', '', '', 'robot, ', 'okay robot, ', 'hey robot, ', 'hey, ',
                       'listen, ', 'hello robot, ', '{}, robot'])
    text = name.format(body) if '{' in name else name + body
    return write_sentence(text, '?' if question else '.')


def fill_template(template: str, rng: random.Random) -> str:
    """Fill the people and slots of a template of ``near_misses``."""
    template = re.sub(r'\{who\}', lambda _: rng.choice(PEOPLE), template)
    return draw_text(re.sub(r'\{name\}', lambda _: rng.choice(FRIENDS), template), rng)


def draw_near_miss(rng: random.Random) -> str:
    """Return something said with words of the catalogue that is not for the robot."""
    return write_sentence(fill_template(rng.choice(FIRST), rng), '')


def _draw_nonsense(rng: random.Random) -> str:
    return write_sentence(rng.choice(['robot, ', 'okay robot, ', 'hey robot, ', 'hello robot, '])
                     + fill_template(rng.choice(NONSENSE), rng))


def draw_texts(rng: random.Random) -> Iterator[str]:
    """Yield utterances for ever: 74 % of the catalogue, 20 % near misses, 6 % addressed others."""
    sources: tuple[Callable[[random.Random], str], ...] = (draw_known, draw_near_miss,
                                                           _draw_nonsense)
    while True:
        yield rng.choices(sources, (74, 20, 6))[0](rng)

