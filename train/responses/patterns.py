"""
Concrete things that a person says of themselves, as question and answer.

Patterns over plain sentences in English and Chinese. What no pattern fits gives nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ['Fact', 'find_facts']


@dataclass(frozen=True)
class Fact:
    """A question that the sentence answers; the same question twice is the same matter."""

    question: str
    answer: str


Make = Callable[[dict[str, str]], Fact]
_THING = r'(?P<thing>[a-z][a-z ]{1,24}?)'
_VALUE = r'(?P<value>[^,.;!?]{1,40}?)'
_END = r'(?=\s*(?:[,.;!?]|$| and | but | so | because ))'
_KEPT = (r'(?:name|number|code|password|address|birthday|size|colou?r|flight|train|gate|room|seat'
         r'|appointment|doctor|teacher|boss|neighbou?r|brother|sister|son|daughter|dog|cat'
         r'|favou?rite [a-z]+(?: [a-z]+)?|[a-z]+ (?:name|number|code|address|colou?r|size))')
_BASE = {'parked': 'park', 'left': 'leave', 'put': 'put', 'hid': 'hide', 'kept': 'keep'}
_PLAIN = {'leaves': 'leave', 'starts': 'start', 'begins': 'begin', 'opens': 'open',
          'closes': 'close', 'arrives': 'arrive', 'ends': 'end'}
_DID = {'bought': 'buy', 'ordered': 'order', 'cooked': 'cook', 'lost': 'lose', 'saw': 'see'}
_YOURS = {'my': 'your', 'our': 'your', 'me': 'you', 'i': 'you', 'mine': 'yours'}


def _to_second_person(text: str) -> str:
    """Turn what the user calls theirs into what the assistant calls the user's."""
    return re.sub(r'\b(my|our|me|i|mine)\b', lambda found: _YOURS[found[0].lower()],
                  text, flags=re.IGNORECASE)


def _compile_english(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + _END, re.IGNORECASE)


_PATTERNS: tuple[tuple[re.Pattern[str], Make], ...] = (
    (_compile_english(rf'\bmy {_THING} is (?:called|named) {_VALUE}'), lambda found: Fact(
        f'What is my {found["thing"]} called?',
        f'Your {found["thing"]} is called {found["value"]}.')),
    (_compile_english(rf'\bmy (?P<thing>{_KEPT}) is (?!called|named|not|so|very|too|a |an '
                      rf'){_VALUE}'),
     lambda found: Fact(f'What is my {found["thing"]}?',
                        f'Your {found["thing"]} is {_to_second_person(found["value"])}.')),
    (_compile_english(rf'\bmy {_THING} (?P<verb>leaves|starts|begins|opens|closes|arrives|ends) '
                      rf'(?P<how>at|on|in) {_VALUE}'), lambda found: Fact(
        f'When does my {found["thing"]} {_PLAIN[found["verb"].lower()]}?',
        f'Your {found["thing"]} {found["verb"]} {found["how"]} {found["value"]}.')),
    (_compile_english(rf'\bI (?P<verb>parked|left|put|hid|kept) (?:my|the) {_THING} '
                      rf'(?P<how>in|on|at|under|behind|next to|near|inside) {_VALUE}'),
     lambda found: Fact(
        f'Where did I {_BASE[found["verb"].lower()]} my {found["thing"]}?',
        f'You {found["verb"]} your {found["thing"]} {found["how"]} '
        f'{_to_second_person(found["value"])}.')),
    (_compile_english(rf'\bI (?P<verb>live|work) in {_VALUE}'), lambda found: Fact(
        f'Where do I {found["verb"]}?', f'You {found["verb"]} in {found["value"]}.')),
    (_compile_english(rf"\bI(?: am|'m) allergic to {_VALUE}"), lambda found: Fact(
        'What am I allergic to?', f'You are allergic to {_to_second_person(found["value"])}.')),
    (_compile_english(r'\bI (?:need|have) to (?P<verb>call|meet|visit|email) ' + _VALUE),
     lambda found: Fact(f'Who do I need to {found["verb"]}?',
                        f'You need to {found["verb"]} {_to_second_person(found["value"])}.')),
    (_compile_english(rf'\bI (?P<verb>bought|ordered|cooked|lost|saw) {_VALUE}'),
     lambda found: Fact(
        f'What did I {_DID[found["verb"].lower()]}?',
        f'You {found["verb"]} {_to_second_person(found["value"])}.')),
    (re.compile(r'我(?:的)?(?P<thing>[\u4e00-\u9fff]{1,6}?)(?:名字)?叫(?P<value>[^，。！？,.!?]{1,10})'),
     lambda found: Fact(f'我的{found["thing"]}叫什么？',
                        f'你的{found["thing"]}叫{found["value"]}。')),
    (re.compile(r'我把(?P<thing>[\u4e00-\u9fff]{1,8}?)(?P<verb>放|停|藏|忘)在'
                r'(?P<value>[^，。！？,.!?]{1,14}?)了?(?=[，。！？,.!?]|$)'),
     lambda found: Fact(f'我把{found["thing"]}{found["verb"]}在哪儿了？',
                        f'你把{found["thing"]}{found["verb"]}在{found["value"]}了。')),
    (re.compile(r'我对(?P<value>[\u4e00-\u9fff]{1,8}?)过敏'),
     lambda found: Fact('我对什么过敏？', f'你对{found["value"]}过敏。')),
    (re.compile(r'我住在(?P<value>[^，。！？,.!?]{1,14})'),
     lambda found: Fact('我住在哪里？', f'你住在{found["value"]}。')),
)


def find_facts(sentence: str) -> Iterator[Fact]:
    """Yield what a user's words state."""
    for pattern, make in _PATTERNS:
        for match in pattern.finditer(sentence):
            yield make({name: value.strip() for name, value in match.groupdict().items()})
