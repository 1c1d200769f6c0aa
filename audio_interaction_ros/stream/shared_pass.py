"""One forward pass that several lanes share, and whose fault it is where it fails."""

from audio_interaction_ros.errors import ModelFaultError
from audio_interaction_ros.runtimes.base import Decoder, StepRequest, StepResult

__all__ = ['run_pass']


def run_pass(decoder: Decoder, due: list[StepRequest]) -> list[StepResult | Exception]:
    """
    Run a pass; where it fails, one for each request, to find out whose fault it is.

    That is sound, for what a failed pass wrote to the cache the next one writes again.
    """
    try:
        results: list[StepResult | Exception] = [*decoder.step(due)]
        if len(results) != len(due):
            raise ModelFaultError(f'expected {len(due)} results of a pass, got {len(results)}')
        return results
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        return [error] if len(due) == 1 else [run_pass(decoder, [one])[0] for one in due]
