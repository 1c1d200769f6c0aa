"""
CosyVoice behind its own HTTP server (the FastAPI runtime of its repository, Apache-2.0).

The server is run by whoever has the GPU; this adapter posts a text and a speaker to
``/inference_sft`` and reads signed 16-bit mono samples. Knows nothing of texts or checks.
"""

from collections.abc import Sequence

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from train.speech.protocol import SpeechError
from train.web import WebError, post_form

__all__ = ['CosyVoice']

RATE_HEADER = 'X-Custom-Header-sampleRate'


class CosyVoice:
    """Speakers of one CosyVoice server."""

    name, licence, licence_group = 'cosyvoice', 'Apache-2.0', 'free'

    def __init__(self, url: str, speakers: Sequence[str] = (), *, rate: int = 22_050,
                 timeout_s: float = 60.0) -> None:
        """
        Take the address of the server and the speaker ids it knows (default: both it ships).

        ``rate`` is used where the server does not send it: 22,050 Hz for CosyVoice-300M,
        24,000 Hz for CosyVoice2.
        """
        if not url.startswith(('http://', 'https://')):
            raise ConfigurationError(f'cosyvoice: expected an address http://host:port, got '
                                     f'{url!r}; correct it')
        self._url, self._rate, self._timeout_s = url.rstrip('/'), rate, timeout_s
        self._speakers = {'en': tuple(speakers) or ('英文女', '英文男'),
                          'zh': tuple(speakers) or ('中文女', '中文男')}

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the speaker ids."""
        return self._speakers.get(language, ())

    def speak(self, text: str, voice: str, *, language: str,
              rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return speech at the rate of the server; its randomness is its own."""
        try:
            payload, headers = post_form(f'{self._url}/inference_sft', {
                'tts_text': text, 'spk_id': voice}, timeout_s=self._timeout_s)
            rate = int(headers.get(RATE_HEADER) or self._rate)
        except (WebError, ValueError) as error:
            raise SpeechError(f'cosyvoice at {self._url} did not speak ({error}); see that the '
                              'server runs and knows the speaker') from error
        if len(payload) < 2 or len(payload) % 2:
            raise SpeechError(f'cosyvoice at {self._url}: expected 16-bit samples, got '
                              f'{len(payload)} bytes; check the version of the server')
        return np.frombuffer(payload, '<i2').astype(np.float32) / 32768, rate
