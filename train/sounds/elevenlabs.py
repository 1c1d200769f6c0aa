"""
Sound effects of ElevenLabs over HTTP.

Follows the published API: POST /v1/sound-generation with text, duration_seconds (0.5 to 30),
prompt_influence (0 to 1) and model_id, the key in the header xi-api-key, output_format in the
query; the answer is the audio file. What may be done with the sounds depends on the plan of the
account: the licence is unstated until whoever runs it says otherwise.
"""

import os
from dataclasses import dataclass

from train.sounds.generator import GenerationError, Request, Sound, decode
from train.web import WebError, post_json

__all__ = ['ElevenLabs']

_SHORTEST_S, _LONGEST_S = 0.5, 30.0
_LONGEST_TEXT = 450


@dataclass(frozen=True, kw_only=True)
class ElevenLabs:
    """A generator of free sounds behind a key."""

    url: str = 'https://api.elevenlabs.io'
    key_variable: str = 'ELEVENLABS_API_KEY'
    model: str = 'eleven_text_to_sound_v2'
    output_format: str = 'mp3_44100_128'
    prompt_influence: float = 0.5
    timeout_s: float = 60.0
    licence: str = 'ElevenLabs terms of the account used'
    licence_group: str = 'unstated'

    @property
    def name(self) -> str:
        """The name that stands in reports."""
        return 'elevenlabs'

    def generate(self, request: Request) -> Sound:
        """Return what the service made of the caption; GenerationError when nothing came."""
        key = os.environ.get(self.key_variable, '')
        if not key:
            raise GenerationError(f'elevenlabs: expected a key in {self.key_variable}, it is '
                                  'empty; set it or leave this generator out')
        seconds = min(max(request.seconds, _SHORTEST_S), _LONGEST_S)
        try:
            data = post_json(
                f'{self.url.rstrip("/")}/v1/sound-generation?output_format={self.output_format}',
                {'text': request.caption[:_LONGEST_TEXT], 'duration_seconds': round(seconds, 1),
                 'prompt_influence': self.prompt_influence, 'model_id': self.model},
                headers={'xi-api-key': key}, timeout_s=self.timeout_s)
        except WebError as error:
            raise GenerationError(f'elevenlabs: {error}') from error
        return Sound(samples=decode(data, name=self.name), label=request.labels[0],
                     source=f'elevenlabs:{self.model}', licence=self.licence,
                     licence_group=self.licence_group)
