"""
The language model as it is trained: frozen, with low-rank differences and new control rows.

Owns which parameters are trained and the names under which they are shipped. Computes the same
function as the merged Decoder that serves.
"""

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.model.audio_tower import SoundBranch, scale_length
from audio_interaction_ros.model.decoder import Decoder, rope_tables
from audio_interaction_ros.model.shapes import DecoderConfig
from train.edge.features import TOWER, tower_config
from train.edge.layout import BASE_VOCABULARY, IDS
from train.edge.stage_a import make_projector
from train.trainer.lora import LowRank, adapt

__all__ = ['DECODER', 'RANK', 'SCALE', 'Edge']

RANK = 32
SCALE = 1.0
HIDDEN_DROPOUT = 0.2
FEATURE_DROPOUT = 0.04
ADAPTED = ('q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj')
CONTROL_ROWS = 19
DECODER = DecoderConfig(layers=30, width=576, mlp_width=1536, heads=9, kv_heads=3, head_dim=64,
                        vocab_size=BASE_VOCABULARY + CONTROL_ROWS, rope_base=100_000.0,
                        norm_eps=1e-5, attention_bias=False, tied_head=True)


class Edge(nn.Module):
    """Projector, sound branch, adapted decoder, control rows; the frozen part in bfloat16."""

    table: Tensor

    def __init__(self, sounds: tuple[str, ...] = (), sound_feature: str = 'direction') -> None:
        """Take what the sound branch tells apart, and how; without sounds it is not trained."""
        super().__init__()
        torch.manual_seed(0)
        self.sounds = sounds
        state = load_file(fetch('smollm2-135m-instruct') / 'model.safetensors')
        table = state.pop('model.embed_tokens.weight').float()
        # The decoder itself needs no table: embeddings come from here, trained rows included.
        self.decoder = Decoder(DecoderConfig(**{**vars(DECODER), 'vocab_size': 1}))
        state['model.embed_tokens.weight'] = torch.zeros(1, DECODER.width)
        self.decoder.load_state_dict({name: value.float() for name, value in state.items()})
        self.decoder.requires_grad_(False).to(torch.bfloat16)
        adapt(self.decoder, ADAPTED, RANK, alpha=SCALE * RANK)
        self.register_buffer('table', table.to(torch.bfloat16))
        rows = table.mean(0) + 0.5 * table.std() * torch.randn(CONTROL_ROWS, DECODER.width)
        rows[IDS.respond - BASE_VOCABULARY] = table[1]  # <|im_start|>
        rows[IDS.text_end - BASE_VOCABULARY] = table[2]  # <|im_end|>
        self.control_rows = nn.Parameter(rows)
        self.projector = make_projector()
        self.sound = SoundBranch(tower_config(sounds or ('any',), sound_feature))
        # Which sounds are heard is learned before; here only what they are called.
        self.sound.requires_grad_(False).names.requires_grad_(bool(sounds))

    def trained_tensors(self) -> dict[str, Tensor]:
        """Return what is shipped, under the names that ``checkpoints.edge`` merges."""
        tensors = {'control_rows': self.control_rows.data}
        for part in ('projector', 'sound'):
            tensors |= {f'{part}.{name}': value
                        for name, value in getattr(self, part).state_dict().items()}
        for name, module in self.decoder.named_modules():
            if isinstance(module, LowRank):
                tensors |= {f'lora.{name}.A': module.A.data, f'lora.{name}.B': module.B.data}
        return tensors

    def load_trained(self, tensors: dict[str, Tensor]) -> None:
        """Continue from what ``trained_tensors`` returned; every tensor present is copied."""
        own = self.trained_tensors()
        for name, value in tensors.items():
            own[name].copy_(value.float())

    def rows(self) -> Tensor:
        """Return all embeddings [vocabulary, width] bfloat16, control rows last."""
        return torch.cat((self.table, self.control_rows.to(torch.bfloat16)))

    def embed(self, ids: Tensor) -> Tensor:
        """Return embeddings [B, T, width] of ids [B, T]."""
        new = ids >= BASE_VOCABULARY
        words = F.embedding(ids.masked_fill(new, 0), self.table)
        controls = F.embedding((ids - BASE_VOCABULARY).clamp(min=0), self.control_rows)
        return torch.where(new[..., None], controls.to(torch.bfloat16), words)

    def features(self, frames: Tensor, heard: Tensor) -> Tensor:
        """
        Return features [chunks * 6, width] of frames [chunks, 5, 4096] and summaries.

        While training, parts of the projector and some features drop out: a few thousand texts
        are soon known by heart, and what is heard must not be the sign by which they are told.
        """
        first, activation, last = self.projector
        words = last(F.dropout(activation(first(frames)), HIDDEN_DROPOUT, self.training))
        words = scale_length(words, TOWER.feature_norm)
        features = torch.cat((words, self.sound(heard)[:, None]), dim=1).flatten(0, 1)
        if self.training:
            features = features * (torch.rand(len(features), 1) >= FEATURE_DROPOUT)
        return features

    def forward(self, ids: Tensor, frames: Tensor, heard: Tensor,
                where: tuple[Tensor, Tensor]) -> Tensor:
        """
        Return hidden states [B, T, width] bfloat16 of ids [B, T].

        The features of ``frames`` [chunks, 5, 4096] and ``heard`` [chunks, 5632], both float32,
        are put at rows and columns ``where``.
        """
        embeddings = self.embed(ids).index_put(
            where, self.features(frames, heard).to(torch.bfloat16))
        cos, sin = rope_tables(np.arange(ids.shape[1])[None], DECODER.head_dim, DECODER.rope_base)
        return self.decoder(embeddings, cos, sin)
