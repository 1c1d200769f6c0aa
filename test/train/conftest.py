"""What tests of training share."""

import pytest


@pytest.fixture
def one_process(monkeypatch):
    """Let what is spoken be spoken here, where a test sees it."""
    class Alone:
        def __init__(self, workers):
            self.map = lambda function, *rows, chunksize: map(function, *rows)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None
    monkeypatch.setattr('train.edge.synthesise.ProcessPoolExecutor', Alone)
