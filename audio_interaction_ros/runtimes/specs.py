"""What the halves of a model look like to the streaming side, worked out of its configuration."""

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.runtimes.base import DecoderSpec, EncoderSpec

__all__ = ['decoder_spec', 'encoder_spec']


def encoder_spec(config: CheckpointConfig, model_id: str) -> EncoderSpec:
    """Return the spec of the encoder of a model."""
    tower = config.audio_tower
    return EncoderSpec(
        model_id=model_id, mel_bins=tower.mel_bins, features_per_chunk=tower.features_per_chunk,
        feature_width=tower.output_width, chunk_size=tower.chunk_size, magnitudes=tower.tagger,
        embedding_width=tower.sound_width,
        mel_decay_per_s=config.mel.decay_per_s, mel_maximum_floor=config.mel.maximum_floor)


def decoder_spec(config: CheckpointConfig, model_id: str) -> DecoderSpec:
    """Return the spec of the decoder of a model."""
    return DecoderSpec(
        model_id=model_id, features_per_chunk=config.audio_tower.features_per_chunk,
        feature_width=config.decoder.width, vocab_size=config.decoder.vocab_size,
        token_ids=config.token_ids, max_positions=config.max_positions,
        chunk_size=config.audio_tower.chunk_size)
