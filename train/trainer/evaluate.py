"""
How good a stage is on held-out streams: decisions, text and sample replies.

Owns the counting. Decisions are those that the runtime would take at threshold 0.5: the two
control scores compared, nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audio_interaction_ros.model.tokenizer import Tokenizer
from train.trainer.batch import Batch, collate
from train.trainer.data import Prepared
from train.trainer.loss import IGNORE, RESPOND
from train.trainer.model import Trainee

__all__ = ['Counts', 'Generation', 'count_batch', 'decide', 'generate_reply',
           'predict']


@dataclass(frozen=True)
class Counts:
    """What was decided and predicted; counts add up over batches and processes."""

    respond_due: int = 0
    respond_given: int = 0
    respond_right: int = 0
    decisions: int = 0
    text: int = 0
    text_right: int = 0

    def __add__(self, other: 'Counts') -> 'Counts':
        return Counts(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> list[int]:
        """Return the counts in the order of the fields."""
        return list(vars(self).values())

    def measures(self) -> dict[str, float]:
        """
        Return shares of 1; nan where there was nothing to measure.

        control_accuracy, precision and recall (of RESPOND), balanced_accuracy (mean of the
        recalls of both decisions, so always-silent scores 0.5), text_accuracy.
        """
        silent = self.decisions - self.respond_due
        wrong_alarms = self.respond_given - self.respond_right
        recall = _divide(self.respond_right, self.respond_due)
        specificity = _divide(silent - wrong_alarms, silent)
        right = self.respond_right + silent - wrong_alarms
        return {'control_accuracy': _divide(right, self.decisions),
                'precision': _divide(self.respond_right, self.respond_given), 'recall': recall,
                'balanced_accuracy': (recall + specificity) / 2,
                'text_accuracy': _divide(self.text_right, self.text)}


@dataclass(frozen=True)
class Generation:
    """A reply as it is due and as the model gives it, after the same context."""

    expected: str
    given: str


def _divide(part: int, whole: int) -> float:
    return part / whole if whole else float('nan')


@torch.no_grad()
def decide(trainee: Trainee, batch: Batch) -> Tensor:
    """Return p_respond [n] float32 at every control label, sample by sample in order of time."""
    hidden = trainee.hidden(batch)[batch.control != IGNORE]
    ids = trainee.config.token_ids
    pair = trainee.head_weight()[[ids.silence, ids.respond]]
    return torch.softmax(hidden.float() @ pair.float().T, dim=-1)[:, 1]


@torch.no_grad()
def predict(trainee: Trainee, batch: Batch) -> tuple[Tensor, Tensor]:
    """
    Return what is decided [n] bool (True: respond) and which ids are said [m] int64.

    Both at the labels of their kind, sample by sample in order of time, each after what was due
    before it.
    """
    hidden, head = trainee.hidden(batch), trainee.head_weight()
    ids = trainee.config.token_ids
    pair = hidden[batch.control != IGNORE].float() @ head[[ids.silence, ids.respond]].float().T
    words = (hidden[batch.text != IGNORE] @ head.to(hidden.dtype).T).argmax(-1)
    return pair[:, 1] > pair[:, 0], words


def count_batch(trainee: Trainee, batch: Batch) -> Counts:
    """Return the counts of one batch."""
    given, words = predict(trainee, batch)
    due = batch.control[batch.control != IGNORE] == RESPOND
    return Counts(int(due.sum()), int(given.sum()), int((given & due).sum()), len(due),
                  len(words), int((words == batch.text[batch.text != IGNORE]).sum()))


@torch.no_grad()
def generate_reply(trainee: Trainee, prepared: Prepared, tokenizer: Tokenizer,
                   limit: int = 64) -> Generation | None:
    """Return a sample's first reply and what the model says there greedily; None if silent."""
    places = (prepared.sample.control == RESPOND).nonzero()[0]
    if not len(places):
        return None
    start = int(places[0]) + 2  # RESPOND follows the decision
    expected = _cut_at_end(prepared.sample.text[start - 1:start - 1 + limit].tolist())
    device = next(trainee.parameters()).device
    batch = collate([prepared], trainee.config.token_ids.pad).to(device)
    known = batch.ids[:, :start]
    heard = tuple(type(group)(group.mel, group.rows, group.columns) for group in batch.heard)
    given: list[int] = []
    for _ in range(limit):
        ids = torch.cat((known, torch.tensor([given], dtype=torch.long, device=device)), dim=1)
        blank = torch.full_like(ids, IGNORE)
        step = _cut_batch(Batch(ids, blank, blank, heard), start)
        scores = trainee.head_weight().float() @ trainee.hidden(step)[0, -1].float()
        token = int(scores.argmax())
        if token == trainee.config.token_ids.text_end:
            break
        given.append(token)
    return Generation(_to_text(expected, tokenizer), _to_text(given, tokenizer))


def _cut_at_end(ids: Sequence[int]) -> list[int]:
    return list(ids[:ids.index(IGNORE)]) if IGNORE in ids else list(ids)


def _cut_batch(batch: Batch, length: int) -> Batch:
    # Features of later chunks have no place yet; their windows stay, their places go to the end.
    heard = []
    for group in batch.heard:
        per = len(group.columns) // len(group.mel)
        windows = int((group.columns < length).sum()) // per
        heard.append(type(group)(group.mel[:windows], group.rows[:windows * per],
                                 group.columns[:windows * per]))
    return Batch(batch.ids, batch.control, batch.text,
                 tuple(group for group in heard if len(group.mel)))


def _to_text(ids: Iterable[int], tokenizer: Tokenizer) -> str:
    return b''.join(map(tokenizer.token_bytes, ids)).decode('utf-8', 'replace')
