"""
A Whisper made small, with weights drawn by chance, in the layouts in which users have theirs.

Its tokenizer has the ids of the real one; between the bytes and the special tokens lie fillers.
"""

import json

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

from audio_interaction_ros.reading import SPOKEN_LANGUAGES

VOCABULARY = 51_865
LANGUAGES = ['en', *(code for code in SPOKEN_LANGUAGES if code not in ('en', 'yue'))]
"""English first, as in the real one; by that CTranslate2 knows a model of many languages."""


def make_tokenizer(folder, languages=LANGUAGES):
    """Write tokenizer.json: 256 bytes, fillers up to 50,257, then what Whisper adds."""
    letters = list(bytes_to_unicode().values())
    vocab = {letter: place for place, letter in enumerate(letters)}
    vocab |= {f'Ġfiller{place}': place for place in range(256, 50_257)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ['endoftext', 'startoftranscript', *languages, 'translate', 'transcribe', 'startoflm',
             'startofprev', 'nocaptions', 'notimestamps']
    tokenizer.add_special_tokens([AddedToken(f'<|{name}|>', special=True) for name in names])
    tokenizer.save(str(folder / 'tokenizer.json'))


def make_whisper(folder, seed=0):
    """Write a folder as the hub has them; no word of it means anything."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=VOCABULARY, num_mel_bins=80, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, init_std=0.6, bos_token_id=50_257, eos_token_id=50_257,
        pad_token_id=50_257, decoder_start_token_id=50_258)
    model = WhisperForConditionalGeneration(config)
    model.save_pretrained(folder)
    settings = json.loads((folder / 'generation_config.json').read_text())
    del settings['_from_model_config']  # or what follows is not read
    settings['alignment_heads'] = [[1, 0], [1, 1]]
    settings['suppress_tokens'] = settings['begin_suppress_tokens'] = []
    (folder / 'generation_config.json').write_text(json.dumps(settings))
    make_tokenizer(folder)
    return model


def noise(seconds=1.5, seed=3):
    """Return float32 at 16 kHz with something in it to hear."""
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * 16_000))).astype(np.float32)
