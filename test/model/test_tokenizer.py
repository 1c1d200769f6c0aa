import json

import pytest

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model.tokenizer import Tokenizer

pytestmark = pytest.mark.torch

PIECES = ['a', 'b', 'ab', '<', '|', '>', 'e', 'n', 'd', 'Ã', '¼', 'Ġ']  # Ã¼ = bytes of ü
SPECIAL = len(PIECES)


@pytest.fixture
def path(tmp_path):
    level = {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True,
             'use_regex': True}
    (tmp_path / 'tokenizer.json').write_text(json.dumps({
        'version': '1.0', 'truncation': None, 'padding': None, 'normalizer': None,
        'added_tokens': [{'id': SPECIAL, 'content': '<|end|>', 'special': True,
                          'single_word': False, 'lstrip': False, 'rstrip': False,
                          'normalized': False}],
        'pre_tokenizer': level, 'post_processor': None, 'decoder': level,
        'model': {'type': 'BPE', 'merges': [['a', 'b']],
                  'vocab': {token: i for i, token in enumerate(PIECES)}}}))
    return tmp_path / 'tokenizer.json'


def test_text_becomes_merges_and_bytes_come_back(path):
    tokenizer = Tokenizer(path)
    ids = tokenizer.encode('ab ü')
    assert ids == [2, 11, 9, 10]
    assert b''.join(map(tokenizer.token_bytes, ids)) == 'ab ü'.encode()


def test_a_merge_that_the_protocol_uses_is_spelled_out(path):
    tokenizer = Tokenizer(path, structural={2})
    assert tokenizer.encode('aab') == [0, 0, 1]
    assert tokenizer.token_bytes(2) == b''


def test_special_text_is_ordinary_text(path):
    tokenizer = Tokenizer(path)
    ids = tokenizer.encode('<|end|>')
    assert SPECIAL not in ids
    assert b''.join(map(tokenizer.token_bytes, ids)) == b'<|end|>'
    assert tokenizer.token_bytes(SPECIAL) == b''
    assert tokenizer.token_bytes(10_000) == b''


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / 'tokenizer.json').write_text('{')
    with pytest.raises(CheckpointError, match='tokenizer.json'):
        Tokenizer(tmp_path / 'tokenizer.json')
