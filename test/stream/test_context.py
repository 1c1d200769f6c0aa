"""The bounded context never grows, never splits a unit and keeps its order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.stream.context import Context

pytestmark = pytest.mark.unit

SLOTS, SINK = 64, 7


def fresh():
    context = Context(slots=SLOTS)
    context.open_sink(SINK)
    return context


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=60))
def test_what_is_visible_is_the_newest_whole_units_in_order(lengths):
    """A twin that keeps positions in a list agrees on what remains in sight."""
    context = fresh()
    written = {}  # slot -> (unit, position)
    unit, unit_length = -1, 0
    sizes = {}
    for length, new_unit in lengths:
        new_unit = new_unit or unit < 0 or unit_length + length > 20
        unit_length = length if new_unit else unit_length + length
        unit += new_unit
        place = context.allocate(length, new_unit=new_unit)
        in_sight = {int(slot) for slot in np.flatnonzero(place.visible)} - set(range(SINK))
        written = {slot: value for slot, value in written.items() if slot in in_sight}
        assert set(written) == in_sight
        units = {number for number, _ in written.values()}
        assert units <= set(range(min(units, default=0), unit + 1))
        for number in units - {unit}:
            assert sum(n == number for n, _ in written.values()) == sizes[number]
        assert place.visible[:SINK].all()
        assert not in_sight & set(place.slots.tolist())
        assert np.array_equal(np.diff(place.slots), np.ones(length - 1))
        written.update({int(s): (unit, int(p))
                        for s, p in zip(place.slots, place.positions, strict=True)})
        sizes[unit] = sizes.get(unit, 0) + length if not new_unit else length
        assert context.used_slots <= SLOTS


def test_positions_count_every_token():
    """Positions go on where the ring wraps."""
    context = fresh()
    seen = [int(p) for _ in range(40) for p in context.allocate(9, new_unit=True).positions]
    assert seen == list(range(SINK, SINK + 360))


def test_the_sink_follows_the_ring():
    """However long the stream runs, sink and ring stay within two context lengths."""
    context = fresh()
    refreshed = 0
    for _ in range(5_000):
        place = context.allocate(9, new_unit=True)
        if context.sink_is_stale:
            sink = context.refresh_sink()
            refreshed += 1
            assert np.array_equal(sink.slots, np.arange(SINK))
            assert sink.positions[-1] < place.positions[0]
            assert not context.sink_is_stale
        else:
            sink_end = sink.positions[-1] if refreshed else SINK - 1
            assert place.positions[-1] - sink_end <= 2 * SLOTS
    assert refreshed > 100


def test_a_unit_larger_than_the_ring_is_refused():
    """Who let it through is named: what fits is decided before."""
    context = fresh()
    context.allocate(30, new_unit=True)
    with pytest.raises(ValueError, match='stream.capacity'):
        context.allocate(30, new_unit=False)
    with pytest.raises(ValueError, match='stream.capacity'):
        fresh().allocate(SLOTS, new_unit=True)


def test_a_prompt_that_fills_the_context_is_refused():
    """A prompt may take less than half of the slots."""
    with pytest.raises(ValueError, match='stream.capacity'):
        Context(slots=SLOTS).open_sink(SLOTS // 2)
