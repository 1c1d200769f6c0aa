"""From scripts and clips to composed streams."""

from train.compose.audio import ClipError
from train.compose.mix import Mix, compose, make_layers
from train.compose.script import Answer, LanePlan, Order, Plan, PlanError, Script, Step

__all__ = ['Answer', 'ClipError', 'LanePlan', 'Mix', 'Order', 'Plan', 'PlanError', 'Script',
           'Step', 'compose', 'make_layers']
