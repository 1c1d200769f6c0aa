"""
Sounds of AudioX from a server of one's own.

AudioX (arXiv 2503.10522) is published as weights; this speaks to the server that vLLM-Omni
documents for it: POST /v1/chat/completions with one text message, num_inference_steps,
guidance_scale and seed beside it, and audiox_task ``t2a`` with seconds_start and seconds_total
under ``extra_args`` (also at top level, where its newer versions look). The answer carries a WAV
in base64 at choices[0].message.audio.data. The weights are CC-BY-NC-4.0, so the clips are counted
as non-commercial unless told otherwise. A call gives at most about 10 s.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.sounds.generator import GenerationError, Request, Sound, decode
from train.web import WebError, bearer_header, post_json

__all__ = ['AudioX']

_RATE = SAMPLE_RATE_HZ
_LONGEST_S = 10.0


@dataclass(frozen=True, kw_only=True)
class AudioX:
    """A generator of free sounds on a machine with a GPU."""

    url: str = 'http://localhost:8099'
    model: str = 'zhangj1an/AudioX'
    key_variable: str = 'AUDIOX_API_KEY'
    steps: int = 100
    guidance: float = 7.0
    timeout_s: float = 300.0
    licence: str = 'CC-BY-NC-4.0 (weights of AudioX)'
    licence_group: str = 'non_commercial'

    @property
    def name(self) -> str:
        """The name that stands in reports."""
        return 'audiox'

    def generate(self, request: Request) -> Sound:
        """Return what the model made of the caption; GenerationError when nothing came."""
        seconds = round(min(request.seconds, _LONGEST_S), 2)
        task = {'audiox_task': 't2a', 'seconds_start': 0.0, 'seconds_total': seconds}
        try:
            answer = post_json(
                f'{self.url.rstrip("/")}/v1/chat/completions',
                {'model': self.model, 'modalities': ['audio'], 'messages': [
                    {'role': 'user', 'content': [{'type': 'text', 'text': request.caption}]}],
                 'num_inference_steps': self.steps, 'guidance_scale': self.guidance,
                 'seed': request.seed, 'extra_args': task, **task},
                headers=bearer_header(self.key_variable), timeout_s=self.timeout_s)
            data = base64.b64decode(json.loads(answer)['choices'][0]['message']['audio']['data'],
                                    validate=True)
        except WebError as error:
            raise GenerationError(f'audiox: {error}') from error
        except (KeyError, IndexError, TypeError, ValueError, binascii.Error) as error:
            raise GenerationError('audiox: expected choices[0].message.audio.data in base64, got '
                                  f'another answer ({error}); check the server') from error
        # The model always fills its own length; what was asked for is at the beginning.
        samples = decode(data, name=self.name)[:round(seconds * _RATE)]
        return Sound(samples=samples, label=request.labels[0], source=f'audiox:{self.model}',
                     licence=self.licence, licence_group=self.licence_group)
