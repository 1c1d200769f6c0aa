"""
Time-frequency joint preprocessing: a loose clip becomes an event on a grid of half chunks.

The seven steps of arXiv 2606.05121 (Algorithm 1, for which no code was released); what the paper
leaves open is decided here and written down in docs/tfjp.md.
"""

from train.tfjp.flow import TfjpReport, TfjpResult, process
from train.tfjp.spectrum import TfjpError

__all__ = ['TfjpError', 'TfjpReport', 'TfjpResult', 'process']
