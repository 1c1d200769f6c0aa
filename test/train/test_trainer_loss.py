"""The dual loss."""

import pytest

pytest.importorskip('torch')

import torch
from torch.nn import functional as F

from train.trainer.loss import BLOCK, IGNORE, RESPOND, SILENCE, dual_loss, make_targets

pytestmark = pytest.mark.torch

SILENCE_ID, RESPOND_ID = 3, 4
VOCABULARY, WIDTH = 11, 6


@pytest.fixture
def labelled():
    """Hidden states [40, 6], head [11, 6], and labels of 40 positions, some of neither kind."""
    generator = torch.Generator().manual_seed(1)
    control, text = torch.full((2, 40), IGNORE)
    control[::4] = torch.randint(0, 2, (10,), generator=generator)
    text[1::4] = torch.randint(5, VOCABULARY, (10,), generator=generator)
    return (torch.randn(40, WIDTH, generator=generator),
            torch.randn(VOCABULARY, WIDTH, generator=generator), control, text)


def loss(labelled, **weights):
    hidden, head, control, text = labelled
    due = make_targets(control, text, SILENCE_ID, RESPOND_ID)
    learned = due != IGNORE
    return dual_loss(hidden[learned], head, due[learned], control[learned],
                     **weights) / learned.sum()


def test_at_lambda_one_it_is_one_cross_entropy(labelled):
    hidden, head, control, text = labelled
    due = text.clone()
    due[control == SILENCE], due[control == RESPOND] = SILENCE_ID, RESPOND_ID
    whole = F.cross_entropy(hidden @ head.T, due, ignore_index=IGNORE)
    torch.testing.assert_close(loss(labelled).sum(), whole)


def test_both_parts_are_divided_by_the_same_count(labelled):
    hidden, head, control, text = labelled
    text_part, control_part = loss(labelled, control_weight=0.5)
    due = make_targets(control, text, SILENCE_ID, RESPOND_ID)
    each = F.cross_entropy(hidden @ head.T, due, ignore_index=IGNORE, reduction='none')
    torch.testing.assert_close(text_part, each[text != IGNORE].sum() / 20)
    torch.testing.assert_close(control_part, 0.5 * each[control != IGNORE].sum() / 20)


def test_respond_can_weigh_more_than_silence(labelled):
    hidden, head, control, text = labelled
    each = F.cross_entropy(hidden @ head.T, make_targets(control, text, SILENCE_ID, RESPOND_ID),
                           ignore_index=IGNORE, reduction='none')
    expected = (each[control == SILENCE].sum() + 12 * each[control == RESPOND].sum()) / 20
    torch.testing.assert_close(loss(labelled, respond_weight=12.0)[1], expected)
    assert loss(labelled, respond_weight=12.0)[0] == loss(labelled)[0]


def test_a_position_with_both_labels_is_refused():
    with pytest.raises(ValueError, match='both|and a text label'):
        make_targets(torch.tensor([RESPOND]), torch.tensor([7]), SILENCE_ID, RESPOND_ID)


def test_recomputing_block_by_block_changes_nothing():
    generator = torch.Generator().manual_seed(2)
    count = BLOCK + 100
    due = torch.randint(0, VOCABULARY, (count,), generator=generator)
    control = torch.where(due < 5, due % 2, IGNORE)
    results = []
    for recompute in (False, True):
        generator.manual_seed(3)
        hidden = torch.randn(count, WIDTH, generator=generator, requires_grad=True)
        head = torch.randn(VOCABULARY, WIDTH, generator=generator, requires_grad=True)
        total = dual_loss(hidden, head, due, control, recompute=recompute).sum()
        total.backward()
        results.append((total, hidden.grad, head.grad))
    whole = F.cross_entropy(hidden @ head.T, due, reduction='sum')
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(results[0][0], whole)


def test_nothing_learned_is_a_loss_of_zero(labelled):
    hidden, head, *_ = labelled
    nothing = torch.zeros(0, dtype=torch.long)
    assert dual_loss(hidden[:0], head, nothing, nothing).tolist() == [0.0, 0.0]
