"""Which model runs, on what."""

from dataclasses import dataclass

from audio_interaction_ros.config.checks import check_ranges, find_home, require

__all__ = ['ModelConfig']

ROPE_INDEX_DTYPES = ('fp32', 'fp16_compat')


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which model runs and where."""

    path: str = 'edge'
    """Folder or Hugging Face repository id of a checkpoint; edge: the shipped default."""
    runtime: str = 'onnx'
    """Backend that runs it: onnx (ONNX Runtime, on a CPU), tensorrt (NVIDIA GPUs) or torch."""
    device: str = 'cpu'
    """Device of the backend."""
    dtype: str = 'auto'
    """Arithmetic: auto, float32, int8 or int4 (onnx); auto, float32, bfloat16 or int8 (torch)."""
    threads: int = 2
    """CPU threads of the backend."""
    slots: int = 1024
    """Positions kept per lane: prompt, ring of recent audio, room for a reply."""
    rope_index_dtype: str = 'fp32'
    """Position index: fp32, or fp16_compat as the released code has it (docs/protocol.md)."""

    def __post_init__(self) -> None:
        """Check ranges."""
        find_home(self, 'path')
        check_ranges(self, 'model')
        require(self.rope_index_dtype in ROPE_INDEX_DTYPES, 'model.rope_index_dtype',
                 f'one of {", ".join(ROPE_INDEX_DTYPES)}', self.rope_index_dtype)
