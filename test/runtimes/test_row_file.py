"""Tables whose rows are read from their file when they are asked for."""

import numpy as np
import pytest

from audio_interaction_ros.runtimes.row_file import RowFile
from bench.measure import resident_mib

pytestmark = pytest.mark.unit


@pytest.mark.parametrize('dtype', [np.float16, np.float32])
@pytest.mark.parametrize('ids', [[3], [[0, 4], [4, 1]], np.array([2, 2, 2]), []])
def test_rows_are_those_of_the_array(dtype, ids, tmp_path):
    array = np.random.default_rng(0).standard_normal((5, 7)).astype(dtype)
    np.save(tmp_path / 'table.npy', array)
    rows = RowFile(tmp_path / 'table.npy')[ids]
    np.testing.assert_array_equal(rows, array[np.asarray(ids, np.int64)])
    assert rows.dtype == dtype


@pytest.mark.parametrize('ids', [[5], [-1], [0, 7]])
def test_a_row_that_is_none_of_the_table_is_refused(ids, tmp_path):
    np.save(tmp_path / 'table.npy', np.zeros((5, 7), np.float32))
    with pytest.raises(IndexError, match='expected rows 0 to 4'):
        RowFile(tmp_path / 'table.npy')[ids]


def test_a_file_that_was_cut_meanwhile_is_no_row_of_chance(tmp_path):
    path = tmp_path / 'table.npy'
    np.save(path, np.zeros((5, 7), np.float32))
    table = RowFile(path)
    with path.open('r+b') as file:
        file.truncate(path.stat().st_size - 4)
    assert not table[[3]].any()
    with pytest.raises(OSError, match='expected 28 bytes of row 4, found 24'):
        table[[4]]


def test_memory_does_not_grow_with_the_rows_that_were_used(tmp_path):
    np.save(tmp_path / 'table.npy', np.zeros((8192, 2048), np.float32))  # 64 MiB
    table = RowFile(tmp_path / 'table.npy')
    table[[0]]
    before = resident_mib()
    for first in range(0, 8192, 64):
        table[np.arange(first, first + 64)]
    assert resident_mib() - before < 16
