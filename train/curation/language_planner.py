"""
A planner behind any OpenAI-compatible endpoint; a local server counts.

Owns the two prompts (scenario, then queries), structured output by JSON schema, and what happens
when an answer is late, no JSON, or a plan that contradicts itself: the problems are sent back and
another answer is asked for, a few times. Knows no sound file.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from train.curation.plan import (
    FEWEST,
    KINDS,
    MOST,
    ScenarioPlan,
    ScenarioPlanError,
    find_problems,
    plan_schema,
)
from train.curation.planner import PlannerError
from train.records import Clip, RecordError, from_dict
from train.web import WebError, chat_json

__all__ = ['LanguagePlanner']

_SCENARIO = f"""You plan short scenes that are heard, not seen. From the annotations given, invent
one plausible scene of the length given. Name {FEWEST} to {MOST} sub_events. Each has a unique
name, a role (foreground: sounds one after another, in the order you give; background: now and
then; ambient: all the time), a rough_duration_s, a brief_description of what is heard, a place.
At least one ambient sub_event lasts as long as the whole scene. The foregrounds together are
shorter than the scene. Nothing may contradict anything: no two ambient sub_events of different
places. constraints ({' or '.join(KINDS)}) name two sub_events. Answer with JSON only."""

_QUERIES = """For every sub_event of the scene give, under the same name: a query of 4 to 12 words
to search a sound library; a caption of 1 or 2 sentences for a sound generator with material,
surface and intensity; accept_tags in snake_case: the labels under which a clip counts as this
sound. Answer with JSON only."""

_PLACEHOLDER = {'query': 'to be written after this', 'caption': 'To be written.',
                'accept_tags': ['any']}


class _UnusableError(Exception):
    """An answer that another try may mend; its text goes back to the model."""


@dataclass(frozen=True, kw_only=True)
class LanguagePlanner:
    """
    Asks ``{url}/chat/completions``; the key comes from the environment, if there is one.

    ``structured`` is how the endpoint is told of the form: json_schema, or json_object for
    servers that know no schemas.
    """

    url: str
    model: str
    key_variable: str = 'OPENAI_API_KEY'
    timeout_s: float = 120.0
    attempts: int = 3
    temperature: float = 0.7
    pause_s: float = 1.0
    structured: str = 'json_schema'
    known_tags: frozenset[str] = frozenset()
    """Labels that the tagger knows; when given, every sub-event must accept one of them."""

    @property
    def name(self) -> str:
        """The name that stands in plans."""
        return f'language:{self.model}'

    def _ask(self, messages: list[dict[str, str]], part: str, seed: int) -> dict[str, Any]:
        schema = plan_schema()[part]
        form: dict[str, Any] = {'type': self.structured}
        if self.structured == 'json_schema':
            form['json_schema'] = {'name': part, 'schema': schema, 'strict': True}
        body = {'model': self.model, 'messages': messages, 'temperature': self.temperature,
                'seed': seed, 'response_format': form}
        try:
            answer = chat_json(self.url, body, key_variable=self.key_variable,
                               timeout_s=self.timeout_s)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise _UnusableError(f'the answer was not the JSON asked for ({error})') from error
        if not isinstance(answer, dict) or not isinstance(answer.get('sub_events'), list):
            raise _UnusableError('the answer has no list "sub_events"')
        return answer

    def _read(self, values: dict[str, Any]) -> ScenarioPlan:
        """Return the plan of the values, or say what is wrong with it."""
        try:
            plan = from_dict(ScenarioPlan, values, 'plan')
        except RecordError as error:
            raise _UnusableError(str(error)) from error
        wrong = find_problems(plan)
        if self.known_tags:
            wrong += [f'{event.name!r}: none of accept_tags {list(event.accept_tags)} is known'
                      for event in plan.sub_events
                      if event.accept_tags != ('any',) and not self.known_tags & {
                          *event.accept_tags}]
        if wrong:
            raise _UnusableError('; '.join(wrong))
        return plan

    def _ask_scenario(self, messages: list[dict[str, str]], base: dict[str, Any],
                      seed: int) -> dict[str, Any]:
        """Return the values of a plan whose queries are still to be written."""
        scenario = self._ask(messages, 'scenario', seed)
        events = [{**_PLACEHOLDER, **event} if isinstance(event, dict) else event
                  for event in scenario['sub_events']]
        values = {**scenario, **base, 'sub_events': events}
        self._read(values)
        return values

    def _add_queries(self, messages: list[dict[str, str]], values: dict[str, Any],
                     seed: int) -> ScenarioPlan:
        queries = self._ask(messages, 'queries', seed)['sub_events']
        by_name = {query.get('name'): query for query in queries if isinstance(query, dict)}
        missing = [e['name'] for e in values['sub_events'] if e['name'] not in by_name]
        if missing:
            raise _UnusableError(f'no query for the sub_events {missing}')
        return self._read({**values, 'sub_events': [
            {**event, **by_name[event['name']]} for event in values['sub_events']]})

    def _retry(self, step: Any, messages: list[dict[str, str]]) -> Any:
        """Return what a step makes of the messages; each failure is told to the next try."""
        reasons: list[str] = []
        for attempt in range(self.attempts):
            try:
                return step([*messages, *({
                    'role': 'user', 'content': f'That could not be used: {reason}. Try again.'}
                    for reason in reasons[-1:])], attempt)
            except _UnusableError as error:
                reasons.append(str(error))
            except WebError as error:
                if not error.passing:
                    raise PlannerError(f'planner {self.name}: {error}') from error
                reasons.append(str(error))
                time.sleep(self.pause_s)
        raise PlannerError(f'planner {self.name}: expected a plan, got none in {self.attempts} '
                           f'tries: {" | ".join(reasons)}; use another model or the offline '
                           'planner')

    def plan(self, annotations: Sequence[Clip], *, seconds: float, seed: int) -> ScenarioPlan:
        """Return a checked plan; PlannerError when none came, PlanError for a wrong length."""
        if not 0 < seconds < float('inf'):
            raise ScenarioPlanError(f'expected a stream of more than 0 s, got {seconds} s; '
                                    'correct it')
        heard = [clip.caption or clip.label.replace('_', ' ') for clip in annotations]
        labels = f'\nLabels known: {sorted(self.known_tags)}' if self.known_tags else ''
        base = {'seconds': float(seconds), 'id': f'language-{seed}', 'seed': seed,
                'planner': self.name}
        first = [{'role': 'system', 'content': _SCENARIO},
                 {'role': 'user', 'content': f'Length: {seconds:g} s\nAnnotations:\n- '
                                             + '\n- '.join(heard)}]
        values = self._retry(lambda said, n: self._ask_scenario(said, base, seed + n), first)
        scene = {key: values[key] for key in ('scenario', 'sub_events')}
        second = [{'role': 'system', 'content': _QUERIES},
                  {'role': 'user', 'content': json.dumps(scene, ensure_ascii=False) + labels}]
        plan = self._retry(lambda said, n: self._add_queries(said, values, seed + n), second)
        return replace(plan, seed=seed)
