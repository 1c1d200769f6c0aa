"""
A language model as the judge of answers, through any endpoint that speaks OpenAI's protocol.

The protocol is VoiceBench's (MatthewCYM/VoiceBench at 5338154): temperature 0.5, top_p 0.95, three
samples; open questions get 1 to 5, the mean counts; questions with a reference yes or no, the
majority counts. The words of the prompts are ours, and their version is written into every
result: figures by other prompts or other judges are other figures. Verdicts are kept on disk, so
that a run that was stopped goes on and none is paid for twice.
"""

import argparse
import hashlib
import json
import os
import re
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from statistics import mean
from typing import Any

from audio_interaction_ros.errors import ConfigurationError
from eval.suites.items import Answered
from measure.kept_lines import KeptLines

__all__ = ['PROMPT_VERSION', 'SAMPLES', 'Judge', 'add_judge_arguments', 'connect', 'make_judge']

PROMPT_VERSION = 1
SAMPLES = 3
_SETTINGS = {'temperature': 0.5, 'top_p': 0.95, 'max_tokens': 16}
_OPEN = """A person asked a voice assistant something, and it answered aloud.

The person: {question}
The assistant: {answer}

How good is the answer? 5: helpful, right and fit to be heard. 4: good with small faults. 3: partly
helpful. 2: hardly helpful. 1: wrong, beside the point or empty. Reply with the number alone."""
_CLOSED = """Question: {question}
Right answer: {reference}
Given answer: {answer}

Does the given answer mean the right one? More words do no harm, a contradiction does. Reply with
Yes or No alone."""

Complete = Callable[[str, int], str]
"""From a prompt and the number of the sample to what the judge wrote."""


class Judge:
    """Judges answers and keeps every verdict in a file."""

    def __init__(self, complete: Complete, name: str, cache: Path) -> None:
        """Ask by ``complete``; ``name`` of the model is part of what is kept."""
        self._complete, self.name = complete, name
        self._known = KeptLines[str](cache, from_row=itemgetter('verdict'),
                                     to_row=lambda verdict: {'verdict': verdict})

    def rate(self, answered: Answered) -> float | None:
        """Return 1 to 5 for an open question; None where the judge gave no number."""
        said = self._ask(_OPEN.format(question=answered.item.question,
                                      answer=answered.text or '(silence)'))
        marks = [int(found[0]) for found in (re.search(r'[1-5]', text) for text in said) if found]
        return mean(marks) if marks else None

    def is_right(self, answered: Answered) -> bool | None:
        """Tell whether an answer means a reference; None where the judge said neither."""
        said = self._ask(_CLOSED.format(
            question=answered.item.question, answer=answered.text or '(silence)',
            reference=' / '.join(answered.item.references)))
        votes = [found[0].lower() == 'yes' for found in
                 (re.search(r'\b(yes|no)\b', text, re.IGNORECASE) for text in said) if found]
        return 2 * sum(votes) > len(votes) if votes else None

    def _ask(self, prompt: str) -> list[str]:
        return [self._ask_once(prompt, sample) for sample in range(SAMPLES)]

    def _ask_once(self, prompt: str, sample: int) -> str:
        key = hashlib.sha256(json.dumps(
            [PROMPT_VERSION, self.name, sample, prompt]).encode()).hexdigest()
        return self._known.find(key, lambda: self._complete(prompt, sample))


def connect(endpoint: str, model: str) -> Complete:
    """
    Return what asks ``model`` at an endpoint such as ``http://localhost:8000/v1``.

    The key is taken from OPENAI_API_KEY. ConfigurationError where the endpoint does not answer.
    """
    from huggingface_hub import InferenceClient

    client: Any = InferenceClient(base_url=endpoint, timeout=120,
                                  api_key=os.environ.get('OPENAI_API_KEY') or 'none')

    def complete(prompt: str, sample: int) -> str:
        try:
            reply = client.chat_completion([{'role': 'user', 'content': prompt}], model=model,
                                           seed=sample, **_SETTINGS)
        except Exception as error:  # the client raises many kinds; all mean that nobody judged
            raise ConfigurationError(
                f'{endpoint}: expected a verdict of the judge {model}, got {error!r}; check '
                '--judge, --judge-model and OPENAI_API_KEY, and start again: what was judged is '
                'kept') from error
        return str(reply.choices[0].message.content or '')
    return complete


def add_judge_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a judge."""
    parser.add_argument('--judge', default='', metavar='ENDPOINT',
                        help="an endpoint of OpenAI's protocol, such as http://localhost:8000/v1")
    parser.add_argument('--judge-model', default='gpt-4o-mini', metavar='NAME')


def make_judge(options: argparse.Namespace, cache: Path) -> Judge | None:
    """Return the judge that the options name, None for none; its verdicts lie in ``cache``."""
    if not options.judge:
        return None
    if not options.judge.startswith(('http://', 'https://')):
        raise ConfigurationError(f'--judge: expected an address such as http://localhost:8000/v1, '
                                 f'found {options.judge!r}')
    return Judge(connect(options.judge, options.judge_model), options.judge_model, cache)
