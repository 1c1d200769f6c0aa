"""Names of what goes in and out of the graphs: all that a runtime must know of them."""

from collections.abc import Iterator

__all__ = ['ALIGNMENT_OUTPUT', 'EMBEDDINGS', 'EMBEDDING_OUTPUT', 'ENCODED', 'FEATURES_OUTPUT',
           'HIDDEN_OUTPUT', 'LOGITS_OUTPUT', 'MEL_INPUT', 'NEW_MASK', 'PAST_MASK',
           'STATIC_INPUTS', 'STATIC_MASK', 'STEP_INPUTS', 'WRITE_AT', 'cache_names',
           'cross_names', 'new_names', 'written_names']

STEP_INPUTS = ('embeddings', 'cos', 'sin', 'past_mask', 'new_mask')
"""Beside the cache."""
WRITE_AT, STATIC_MASK = 'write_at', 'mask'
STATIC_INPUTS = ('embeddings', 'cos', 'sin', WRITE_AT, STATIC_MASK)
"""The same of the static form."""
HIDDEN_OUTPUT = 'hidden'
LOGITS_OUTPUT = 'logits'
ALIGNMENT_OUTPUT = 'alignment'
MEL_INPUT = 'mel'
FEATURES_OUTPUT = 'features'
EMBEDDING_OUTPUT = 'embedding'
ENCODED = 'encoded'
EMBEDDINGS, PAST_MASK, NEW_MASK = 'embeddings', 'past_mask', 'new_mask'


def cache_names(layers: int) -> Iterator[tuple[str, str]]:
    """Return the names of the keys and values of the past, layer by layer."""
    return ((f'past_keys_{layer}', f'past_values_{layer}') for layer in range(layers))


def new_names(layers: int) -> Iterator[tuple[str, str]]:
    """Return the names of the new keys and values, layer by layer."""
    return ((f'new_keys_{layer}', f'new_values_{layer}') for layer in range(layers))


def written_names(layers: int) -> Iterator[tuple[str, str]]:
    """Return the names of the cache as the static form gives it back, layer by layer."""
    return ((f'keys_{layer}', f'values_{layer}') for layer in range(layers))


def cross_names(layers: int) -> Iterator[tuple[str, str]]:
    """Return the names of the keys and values of what was encoded, layer by layer."""
    return ((f'cross_keys_{layer}', f'cross_values_{layer}') for layer in range(layers))
