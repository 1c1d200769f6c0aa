"""
The torch backend: encoder and decoder of runtimes.base over the modules of model.

Owns the cache of the decoder. Knows nothing of phases, prompts or eviction; slots, positions and
visibility come with each request.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audio_interaction_ros.checkpoints import load as checkpoint
from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, TOWER_PREFIX
from audio_interaction_ros.errors import ConfigurationError, ResourceError
from audio_interaction_ros.model.decoder import Decoder, KVCache, rope_tables
from audio_interaction_ros.protocol import TokenIds
from audio_interaction_ros.runtimes.base import (
    HALVES,
    Allowed,
    Encoding,
    NotLoaded,
    Runtime,
    StepRequest,
    StepResult,
)
from audio_interaction_ros.runtimes.batch import StepBatch, pack
from audio_interaction_ros.runtimes.choice import suppressed_ids
from audio_interaction_ros.runtimes.graph_folder import read_sound_head
from audio_interaction_ros.runtimes.packed import pack_weights
from audio_interaction_ros.runtimes.specs import decoder_spec
from audio_interaction_ros.runtimes.windowed import WindowedEncoder

__all__ = ['DTYPES', 'TorchDecoder', 'TorchEncoder', 'best_dtype', 'load']

DTYPES = ('float32', 'bfloat16', 'int8')


def best_dtype(device: str) -> str:
    """Return bfloat16 where the device computes in it natively, else float32."""
    if device.partition(':')[0] != 'cpu':
        return 'bfloat16'
    return 'bfloat16' if torch.cpu.get_capabilities().get('avx512_bf16') else 'float32'


def load(model: str, *, device: str, threads: int | None, dtype: str, rope_index_dtype: str,
         halves: Collection[str]) -> Runtime:
    """Bring a model up on torch; for load_runtime, which says what the arguments mean."""
    if device.partition(':')[0] == 'cuda' and not torch.cuda.is_available():
        raise ConfigurationError(
            f'device: expected one that torch {torch.__version__} can use here, found {device!r} '
            f'without a usable GPU; change model.device, or install the driver and a torch with '
            f'CUDA')
    if dtype == 'auto':
        dtype = best_dtype(device)
    if threads is not None:
        torch.set_num_threads(threads)
    prefixes = {'encoder': TOWER_PREFIX, 'decoder': DECODER_PREFIX}
    loaded = checkpoint.load(model, parts=tuple(prefixes[half] for half in HALVES
                                                if half in halves))
    encoder: Any = NotLoaded('encoder')
    decoder: Any = NotLoaded('decoder')
    sounds = None
    if 'encoder' in halves:
        encoder = TorchEncoder(loaded, dtype=dtype, device=device)
        sounds = read_sound_head(loaded.folder, loaded.config)
    if 'decoder' in halves:
        decoder = TorchDecoder(loaded, dtype=dtype, device=device,
                               rope_index_dtype=rope_index_dtype)
    return Runtime(encoder=encoder, decoder=decoder, config=loaded.config, sounds=sounds,
                   tokenizer=loaded.tokenizer or NotLoaded('decoder'))


def _prepare_decoder(decoder: Decoder, dtype: str, device: str) -> Decoder:
    if dtype not in DTYPES:
        raise ConfigurationError(f'dtype: expected one of {", ".join(DTYPES)}, found {dtype!r}; '
                                 'change model.dtype')
    if dtype == 'int8':
        if device != 'cpu':
            raise ConfigurationError(f"dtype: int8 expects device 'cpu', found {device!r}; "
                                     'change model.dtype or model.device')
        return torch.ao.quantization.quantize_dynamic(decoder, {nn.Linear}, dtype=torch.qint8)
    decoder.to(device=device, dtype=getattr(torch, dtype))
    pack_weights(decoder.model)  # not the head, which may be the embedding
    return decoder


class TorchEncoder(WindowedEncoder):
    """Encodes one chunk at a time with the tower as it was loaded."""

    def __init__(self, loaded: LoadedModel, *, dtype: str = 'float32',
                 device: str = 'cpu') -> None:
        # Convolutions and norms have no int8 form here, and the tower is small beside the rest.
        precision = torch.float32 if dtype == 'float32' else torch.bfloat16
        self.tower = tower = loaded.tower.to(device=device, dtype=precision)
        pack_weights(tower)

        @torch.inference_mode()
        def run(window: np.ndarray) -> Encoding:
            both = tower.hear(torch.from_numpy(window)[None].to(device, precision))
            features, embedding = (part[0].float().cpu().numpy() for part in both)
            return Encoding(features=features, embedding=embedding)

        super().__init__(run, loaded.config, loaded.model_id)


class TorchDecoder:
    """Runs ragged requests of several lanes as one padded batch."""

    def __init__(self, loaded: LoadedModel, *, dtype: str = 'float32', device: str = 'cpu',
                 rope_index_dtype: str = 'fp32') -> None:
        config = loaded.config
        self._rope_index_dtype = rope_index_dtype
        self.spec = decoder_spec(config, loaded.model_id)
        self._config = config.decoder
        self._device = device
        ids = config.token_ids
        head = loaded.decoder.head_weight
        self.controls = head[[ids.silence, ids.respond]].detach().float().to(device)  # [2, width]
        self.module = _prepare_decoder(loaded.decoder, dtype, device)
        self.dtype = torch.bfloat16 if dtype == 'bfloat16' else torch.float32
        self._forbidden = _forbidden(ids, config.decoder.vocab_size, device)
        self._cache: KVCache | None = None

    def open(self, *, lanes: int, slots: int) -> None:
        """
        Allocate the cache for a number of lanes with ``slots`` slots each.

        ResourceError where the device has no memory for it.
        """
        self._cache = None  # the old one goes first
        try:
            self._cache = KVCache(self._config, lanes=lanes, slots=slots, dtype=self.dtype,
                                  device=self._device)
        except (RuntimeError, MemoryError) as error:  # torch raises the first for its allocators
            config = self._config
            size = (2 * config.layers * lanes * config.kv_heads * (slots + 1) * config.head_dim
                    * self.dtype.itemsize)
            raise ResourceError(
                f'model.slots: no memory on {self._device} for {lanes} lanes of {slots} slots '
                f'({size / 1e6:.0f} MB: {str(error).splitlines()[0]}); lower model.slots, run '
                f'fewer lanes, or free memory') from error

    def forget(self, lane: int) -> None:
        """Zero the cache of a lane: masked keys and values still count where they are NaN."""
        if self._cache is not None:
            self._cache.clear(lane)

    @torch.inference_mode()
    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """
        Run one pass; results in the order of the requests, at most one request per lane.

        Raises ValueError for a lane or slot that was not opened.
        """
        if not requests:
            return []
        cache = self._cache
        if cache is None:
            raise ValueError('open() must be called before step()')
        batch = pack(requests, lanes=cache.lanes, slots=cache.slots,
                     pad_id=self.spec.token_ids.pad)
        hidden = self._forward(cache, batch)
        return batch.results(self._control_logits(batch, hidden), self._choose(batch, hidden))

    def _angles(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        cos, sin = rope_tables(positions, self._config.head_dim, self._config.rope_base,
                               index_dtype=self._rope_index_dtype)
        return cos.to(self._device), sin.to(self._device)

    def _forward(self, cache: KVCache, batch: StepBatch) -> Tensor:
        # Returns hidden [B, T, width].
        cos, sin = self._angles(batch.positions)
        return self.module(
            self._embed(batch), cos, sin, cache=cache,
            lanes=torch.from_numpy(batch.lanes).to(self._device),
            slots=torch.from_numpy(batch.slots).to(self._device),
            mask=torch.from_numpy(batch.mask()).to(self._device))

    def _embed(self, batch: StepBatch) -> Tensor:
        embeddings = self.module.embed(torch.from_numpy(batch.ids).to(self._device))
        rows, places, features = (torch.from_numpy(part).to(self._device)
                                  for part in batch.features())
        embeddings[rows, places] = features.to(embeddings.dtype)
        return embeddings

    def _control_logits(self, batch: StepBatch, hidden: Tensor) -> list[np.ndarray]:
        counts = [len(request.read) for request in batch.requests]
        rows = torch.from_numpy(np.repeat(np.arange(len(counts)), counts)).to(self._device)
        places = torch.from_numpy(np.concatenate(
            [np.asarray(request.read, np.int64) for request in batch.requests])).to(self._device)
        logits = (hidden[rows, places].float() @ self.controls.T).cpu().numpy()
        return np.split(logits, np.cumsum(counts)[:-1])

    def _choose(self, batch: StepBatch, hidden: Tensor) -> dict[int, tuple[int, float]]:
        # As choice.choose, on the device: two numbers come to the host, not the vocabulary.
        rows = batch.choosing
        if not rows:
            return {}
        asked = [batch.requests[row] for row in rows]
        scores = self.module.logits(hidden[rows, [int(request.read[-1]) for request in asked]])
        scores = scores.float()
        forbidden = torch.stack([self._forbidden[request.allowed] for request in asked])
        finite = scores.isfinite().all(-1)
        log_probs, tokens = scores.masked_fill(forbidden, -torch.inf).log_softmax(-1).max(-1)
        log_probs = log_probs.masked_fill(~finite, torch.nan)
        both = torch.stack((tokens.double(), log_probs.double()), dim=-1).tolist()
        return {row: (int(token), log_prob)
                for row, (token, log_prob) in zip(rows, both, strict=True)}


def _forbidden(ids: TokenIds, vocab_size: int, device: str) -> dict[Allowed, Tensor]:
    # Masks [vocab_size] of what is never chosen.
    masks = {}
    for allowed, suppressed in suppressed_ids(ids).items():
        mask = torch.zeros(vocab_size, dtype=torch.bool)
        mask[torch.from_numpy(suppressed)] = True
        masks[allowed] = mask.to(device)
    return masks
