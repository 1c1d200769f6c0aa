"""
Second pass: a finished utterance is read again as a whole, for final transcript and translation.

The streaming model hears a word once and early; Whisper's own decoder hears all of the utterance,
and can write down its English as well. Owns the greedy reading with Whisper base, whose encoder
weights are those of the edge model. Knows nothing of lanes or of where the samples come from.
"""

from collections.abc import Callable, Collection

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from audio_interaction_ros.audio.mel import whole_file_mel
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower, AudioTowerConfig
from audio_interaction_ros.model.base_weights import fetch
from audio_interaction_ros.model.whisper_decoder import WhisperDecoder, WhisperDecoderConfig
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['WhisperSecondPass', 'likeliest', 'repeats', 'style']

WINDOW_S = 30
END = 50_257
START = 50_258
FIRST_LANGUAGE, LAST_LANGUAGE = 50_259, 50_357
TASKS = {'translate': 50_358, 'transcribe': 50_359}
START_OF_PREVIOUS = 50_361
NO_TIMESTAMPS = 50_363
STYLE = {'zh': ' 以下是普通话的句子。'}
"""What stands before the text, by language: Chinese is written as here, in simplified characters
and with punctuation; left to itself Whisper mixes both scripts."""
LONGEST_TEXT = 220
# Whisper writes these around what is no speech: "[MUSIC]", "(coughs)".
NON_SPEECH = frozenset('[](){}<>#*@~_|/\\^♪♫♩♬')


def repeats(ids: list[int], times: int = 4) -> bool:
    """Tell whether a list ends with one phrase of up to eight ids said so many times."""
    return any(len(ids) >= length * times
               and ids[-length * times:] == ids[-length:] * times for length in range(1, 9))


def likeliest(scores: Tensor, ids: list[int]) -> int:
    """Return which of the ids has the highest of the scores [vocabulary]."""
    return ids[int(scores[ids].argmax())]


def style(language: str, encode: Callable[[str], list[int]]) -> list[int]:
    """Return the ids of the text that shows how a language is written; often none."""
    return [START_OF_PREVIOUS, *encode(STYLE[language])] if language in STYLE else []


class WhisperSecondPass:
    """Whisper base, greedy, on the last 30 s of what it is given."""

    def __init__(self, *, language: str = '', task: str = 'transcribe') -> None:
        """
        Load the weights.

        ``language`` (ISO 639-1) is detected when empty; ``task`` may be translate (to English).
        Raises CheckpointError for bad weights and ConfigurationError for a wrong name.
        """
        from tokenizers import Tokenizer
        if task not in TASKS:
            raise ConfigurationError(f'task: expected one of {sorted(TASKS)}, found {task!r}; '
                                     'change it in the configuration')
        folder = fetch('whisper-base')
        self._tokenizer = Tokenizer.from_file(str(folder / 'tokenizer.json'))
        self._languages = {code: self._tokenizer.id_to_token(code).strip('<|>')
                           for code in range(FIRST_LANGUAGE, LAST_LANGUAGE + 1)}
        if language and language not in self._languages.values():
            raise ConfigurationError(f'language: expected an ISO 639-1 code known to Whisper, '
                                     f'found {language!r}; change it in the configuration')
        self._language, self._task = language, TASKS[task]
        self._tower = self._encoder(load_file(folder / 'model.safetensors'))
        self._decoder = WhisperDecoder(WhisperDecoderConfig())
        self._decoder.load_state_dict({name: value.float() for name, value in load_file(
            folder / 'decoder.safetensors').items()})
        self._decoder.eval()
        self._banned = torch.tensor([
            code for token, code in self._tokenizer.get_vocab(with_added_tokens=False).items()
            if NON_SPEECH & set(self._tokenizer.decode([code]))]
            + list(range(START, self._decoder.config.vocab_size)))

    @staticmethod
    def _encoder(state: dict[str, Tensor]) -> AudioTower:
        tower = AudioTower(AudioTowerConfig(
            mel_bins=80, width=512, layers=6, heads=8, mlp_width=2048,
            window_frames=WINDOW_S * 100, keep_frames=WINDOW_S * 50, output_width=1))
        tower.load_state_dict({name: value.float() for name, value in state.items()},
                              strict=False)  # there is no projector here
        return tower.eval()

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> tuple[str, str]:
        """
        Return text and language of samples [n] float32, 16 kHz; only the last 30 s are read.

        Of ``languages`` (ISO 639-1) the likeliest is taken; empty: any. A language that was
        fixed at the start stays.
        """
        text, language, _ = self.interpret(samples, languages)
        return text, language

    @torch.inference_mode()
    def interpret(self, samples: np.ndarray, languages: Collection[str] = ()) -> \
            tuple[str, str, Callable[[], str]]:
        """
        Return text and language as ``transcribe`` does, and a function that writes the English.

        That is the text where it is English, and '' where the English runs in circles. The
        function goes on from the same encoder pass, which it keeps (3 MB) as long as it lives.
        """
        samples = np.asarray(samples, np.float32)[-WINDOW_S * SAMPLE_RATE_HZ:]
        if not np.any(samples):
            return '', self._language, lambda: ''
        padded = np.pad(samples, (0, WINDOW_S * SAMPLE_RATE_HZ - len(samples)))
        encoded = self._tower.encode(torch.from_numpy(whole_file_mel(padded, 80))[None])
        frames = self._decoder.frames(encoded)
        language = self._language_id(frames, languages)
        name = self._languages[language]
        shown = style(name, self._encode) if self._task == TASKS['transcribe'] else []
        ids = self._read(frames, [*shown, START, language, self._task, NO_TIMESTAMPS])
        text = self._tokenizer.decode(ids).strip()
        if name == 'en':
            return text, name, lambda: text
        return text, name, lambda: self._english(encoded, language)

    @torch.inference_mode()
    def _english(self, encoded: Tensor, language: int) -> str:
        """Return what encoder frames [1, S, width] say, in English; '' for a loop."""
        ids = self._read(self._decoder.frames(encoded),
                         [START, language, TASKS['translate'], NO_TIMESTAMPS])
        return '' if repeats(ids) else self._tokenizer.decode(ids).strip()

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _language_id(self, frames: list[tuple[Tensor, Tensor]],
                     languages: Collection[str]) -> int:
        if self._language:
            return self._tokenizer.token_to_id(f'<|{self._language}|>')
        scores, _ = self._decoder(torch.tensor([[START]]), frames)
        return likeliest(scores, [code for code, name in self._languages.items()
                                  if name in languages] or list(self._languages))

    def _read(self, frames: list[tuple[Tensor, Tensor]], start: list[int]) -> list[int]:
        ids: list[int] = []
        scores, cache = self._decoder(torch.tensor([start]), frames)
        while len(ids) < LONGEST_TEXT and not repeats(ids):
            scores[self._banned] = -torch.inf
            best = int(scores.argmax())
            if best == END:
                break
            ids.append(best)
            scores, cache = self._decoder(torch.tensor([[best]]), frames, cache)
        return ids
