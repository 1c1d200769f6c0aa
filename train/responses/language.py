"""
One question to a language model behind any OpenAI-compatible endpoint, answered by JSON.

A local server counts. Owns request and reading; what an answer must hold is the caller's matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audio_interaction_ros.errors import AudioInteractionError
from train.web import WebError, chat_json

__all__ = ['LanguageModel', 'ResponsesError', 'UnusableAnswerError']


class ResponsesError(AudioInteractionError, ValueError):
    """An event, lane or language model is not as it should be; the message says who must act."""


class UnusableAnswerError(ResponsesError):
    """An answer that another try may mend."""


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """Asks ``{url}/chat/completions``; the key comes from the environment, if there is one."""

    url: str
    model: str
    key_variable: str = 'OPENAI_API_KEY'
    timeout_s: float = 60.0
    temperature: float = 0.7

    def ask(self, system: str, user: str, schema: Mapping[str, Any], *,
            seed: int = 0) -> dict[str, Any]:
        """
        Return the JSON object that a model answers.

        Raises UnusableAnswerError where another try may help, ResponsesError where not.
        """
        body = {'model': self.model, 'temperature': self.temperature, 'seed': seed,
                'messages': [{'role': 'system', 'content': system},
                             {'role': 'user', 'content': user}],
                'response_format': {'type': 'json_schema', 'json_schema': {
                    'name': 'answer', 'schema': dict(schema), 'strict': True}}}
        try:
            answer = chat_json(self.url, body, key_variable=self.key_variable,
                               timeout_s=self.timeout_s)
            return {name: answer[name] for name in schema['properties']}
        except WebError as error:
            kind = UnusableAnswerError if error.passing else ResponsesError
            raise kind(f'language model {self.model}: {error}') from error
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise UnusableAnswerError(
                f'language model {self.model}: expected a JSON object with '
                f'{sorted(schema["properties"])}, got something else ({error!r}); use a model '
                'that follows a JSON schema') from error
