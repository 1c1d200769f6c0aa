"""
The short exchanges of the assistant lane: what a robot that only hears answers, and when not.

Owns how an utterance is matched with the catalogue (``data/dialogue.yaml``) and what is put into
the answer. Knows no sound and no model. An answer says nothing that ears alone cannot know; it
repeats what was asked for, so that a misheard word shows. Statements, open questions and talk
between people get no answer; an order that names the robot and is not in the catalogue gets
``UNKNOWN``, for a fluent invention would be worse. What was asked for is not repeated where
``config/alerts.yaml`` would make an alert of it. No call for rescue is promised, nor a weapon.
"""

import re
from functools import cache

from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.resources import shipped_path
from train.edge.texts import Exchange, dialogue_texts

__all__ = ['LONGEST', 'UNKNOWN', 'reply_to']

UNKNOWN = 'I did not catch that.'
LONGEST = 9
"""Words of an answer; the place is left out of a longer one."""

_NUMBERS = ('one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten',
            'twelve', 'fifteen', 'twenty', 'thirty', 'forty', 'forty-five', 'sixty', 'ninety')
# What a slot takes in when it is heard: wider than what is drawn, but a noun phrase.
_STOP = ('and|or|but|that|who|which|what|from|to|into|in|on|off|up|out|at|with|for|by|about|'
         'when|if|because|than|as|is|are|was|were|be|will|would|can|not|me|you|i|he|she|they|we|us|'
         'him|eyes|mouth|please|now|robot|here|there|again|so')
_WORD = rf"(?!(?:{_STOP})\b)[a-z0-9][a-z0-9'-]* "
_NOUN = rf'(?:(?:the|a|an|some|my|your|our|his|her|this|another|{"|".join(_NUMBERS[:10])}) {_WORD}'
_THING = rf'(?:{_NOUN}(?:{_WORD}){{0,2}}(?:of {_WORD})?)|it |them )'
_PLACE = rf'(?:{_NOUN}(?:{_WORD}){{0,2}})|room {_WORD})'
_RESCUE = ('(?:(?:(?:the|an|a|some) )?(?:police|ambulance|paramedics|firefighters|rescue|fire '
           '(?:brigade|department|service)|emergency(?: services?| number)?)|(?:some )?help|'
           '9-?1-?1|1-?1-?2|9-?9-?9|nine (?:one one|nine nine|eleven)|one (?:one two|twelve)) ')
_WEAPONS = re.compile(r'\b(guns?|pistol|rifle|shotgun|revolver|weapons?|kni(fe|ves)|dagger|sword|'
                      r'bomb|grenade|explosives|bullets|ammunition|axe|machete|firearm)\b', re.I)
_COUNT = '(?:(?:' + '|'.join(_NUMBERS) + r'|an?|half|[0-9]+)[ -])+'
_HEARD = {
    'verb': '(?:bring|give|find|show|hand|get|fetch) ',
    **dict.fromkeys(('thing', 'mine', 'device', 'machine', 'opening'), _THING),
    'place': _PLACE,
    'onto': f'(?:on|in|into|onto) {_PLACE}',
    'person': rf'(?:(?:my|the|our|a|his|her) {_WORD}|(?!(?:it|off|the|my)\b){_WORD})(?:{_WORD})?',
    'minutes': f'{_COUNT}(?:minutes?|hours?|seconds?) ',
    'time': rf'(?:{_WORD}){{1,3}}',
    'rescue': _RESCUE,
    'state': '(?:locked|unlocked|open|closed|shut) ',
}
"""For each slot words that are each followed by a space."""

_ASKED = Exchange('I am here. Tell me what you need.', 'question',
                  ('(can|could|would|will) you [please] help (me|us) [please]',))
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
                 for exchange in (_ASKED, *dialogue_texts().exchanges)
                 for phrase in exchange.phrases)


def _to_pattern(phrase: str) -> str:
    signs = {'[': '(?:', ']': ')?', '(': '(?:', ')': ')', '|': '|'}
    parts = []
    for token in re.findall(r"\{\w+\}|[\[\]()|]|[\w']+", phrase):
        if token[0] == '{':
            parts.append(f'(?P<{token[1:-1]}>{_HEARD[token[1:-1]]})')
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
