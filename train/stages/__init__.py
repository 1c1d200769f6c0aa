"""Stages of SoundFlow: a pure function over records, in processes or on Ray, resumable."""

from train.stages.run import StageReport, read_stage, run_stage, stable_seed
from train.stages.shards import Rejected, StageError

__all__ = ['Rejected', 'StageError', 'StageReport', 'read_stage', 'run_stage', 'stable_seed']
