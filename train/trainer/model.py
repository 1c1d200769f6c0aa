"""
The model as it is trained: the runtime's own AudioTower and Decoder with parts frozen.

Owns which parameters a stage trains, low-rank differences, separate rows for new embeddings and
gradient checkpointing. What ``tensors`` returns is the plain model again, as the runtime loads it.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, TOWER_PREFIX
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder, rope_tables
from train.trainer.batch import Batch
from train.trainer.features import encode
from train.trainer.lora import adapt, merged_state
from train.trainer.loss import IGNORE, dual_loss, make_targets
from train.trainer.recipe import Recipe

__all__ = ['Trainee']

ADAPTERS = ('proj.', 'projector.')


class Trainee(nn.Module):
    """Tower, projector and language model; ``forward`` returns the sums of the dual loss."""

    def __init__(self, config: CheckpointConfig, tower: AudioTower, decoder: Decoder,
                 recipe: Recipe) -> None:
        super().__init__()
        self.config, self.recipe = config, recipe
        self.tower, self.decoder = tower, decoder
        self.new_rows: nn.Parameter | None = None
        self._freeze()
        if recipe.run.gradient_checkpointing:
            for layer in (*decoder.model.layers, *(tower.layers if self.tower_learns else ())):
                layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)

    @property
    def tower_learns(self) -> bool:
        """True where the tower's body is trained, not only its projector."""
        return 'tower' in self.recipe.train

    @property
    def learned_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def _freeze(self) -> None:
        train, lora = self.recipe.train, self.recipe.lora
        self.requires_grad_(False)
        for name, value in self.tower.named_parameters():
            value.requires_grad_('adapter' in train if name.startswith(ADAPTERS)
                                 else 'tower' in train)
        if 'lm' in train and lora is None:
            self.decoder.requires_grad_(True)
        elif lora is not None and not adapt(self.decoder, lora.targets, lora.rank, lora.alpha):
            raise ConfigurationError(f'lora.targets: expected names of linear layers of the '
                                     f'decoder, found {lora.targets}; correct the recipe')
        if 'head' in train:
            if self.decoder.lm_head is None:
                raise ConfigurationError('train: head is wanted, but this model scores with its '
                                         'embedding; say lm or new_embeddings in the recipe')
            self.decoder.lm_head.requires_grad_(True)
        if 'new_embeddings' in train:
            self._separate_new_rows()

    def _separate_new_rows(self) -> None:
        ids = sorted(self.config.token_ids.structural)
        table = self.decoder.model.embed_tokens.weight
        self.new_rows = nn.Parameter(table.detach()[ids].clone())
        row_of = torch.full((table.shape[0],), -1)
        row_of[ids] = torch.arange(len(ids))
        self.register_buffer('row_of', row_of, persistent=False)
        self.register_buffer('new_ids', torch.tensor(ids), persistent=False)

    def head_weight(self) -> Tensor:
        """Return the weight [vocabulary, width] that scores, new rows included where tied."""
        weight = self.decoder.head_weight
        if self.new_rows is None or self.decoder.lm_head is not None:
            return weight
        return weight.index_copy(0, self.get_buffer('new_ids'), self.new_rows.to(weight.dtype))

    def _embed(self, ids: Tensor) -> Tensor:
        words = self.decoder.embed(ids)
        if self.new_rows is None:
            return words
        row = self.get_buffer('row_of')[ids]
        new = self.new_rows[row.clamp(min=0)].to(words.dtype)
        return torch.where((row >= 0)[..., None], new, words)

    def _features(self, mel: Tensor) -> Tensor:
        mel = mel.to(self.tower.conv1.weight.dtype)
        heard = None
        with torch.set_grad_enabled(self.tower_learns and torch.is_grad_enabled()):
            if self.tower.config.sounds:
                levels = self.tower.levels(mel)
                frames = self.tower.stack_frames(levels[-1])
                heard = self.tower.sound_inputs(mel, levels)
            else:
                frames = encode(self.tower, mel)
        return self.tower.features(frames, heard).flatten(0, 1)

    def hidden(self, batch: Batch) -> Tensor:
        """Return normalised hidden states [B, T, width]."""
        embeddings = self._embed(batch.ids)
        for heard in batch.heard:
            embeddings = embeddings.index_put(
                (heard.rows, heard.columns), self._features(heard.mel).to(embeddings.dtype))
        shape = self.config.decoder
        cos, sin = rope_tables(np.arange(batch.ids.shape[1])[None], shape.head_dim,
                               shape.rope_base)
        device = embeddings.device
        return self.decoder(embeddings, cos.to(device), sin.to(device))

    def forward(self, batch: Batch) -> Tensor:
        """Return the sums [2] of weighted text and control cross-entropy over the batch."""
        ids, loss = self.config.token_ids, self.recipe.loss
        due = make_targets(batch.control, batch.text, ids.silence, ids.respond)
        learned = due != IGNORE
        return dual_loss(self.hidden(batch)[learned], self.head_weight(), due[learned],
                         batch.control[learned], control_weight=loss.control,
                         respond_weight=loss.respond,
                         recompute=self.recipe.run.gradient_checkpointing)

    def tensors(self, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """Return the plain model on the CPU, keyed as ``checkpoints.layout.save`` wants it."""
        decoder = merged_state(self.decoder)
        if self.new_rows is not None:
            table = decoder['model.embed_tokens.weight'].clone()
            table[self.get_buffer('new_ids')] = self.new_rows.detach().to(table.dtype)
            decoder['model.embed_tokens.weight'] = table
        state = {TOWER_PREFIX + key: value for key, value in self.tower.state_dict().items()}
        state |= {DECODER_PREFIX + key: value for key, value in decoder.items()}
        return {key: value.detach().to('cpu', dtype).contiguous()
                for key, value in state.items()}
