"""A robot's always-on ears: streaming audio to transcripts, replies and alerts."""

import os

__version__ = '0.1.0'

# Read once by the libraries when they load, so it must stand before numpy and torch. OpenMP
# threads that spin while two cores are busy made one encoder call 50 times slower, and threads
# for the front end's small matrix products made a chunk 20 times slower.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
os.environ.setdefault('KMP_BLOCKTIME', '0')
os.environ.setdefault('GOMP_SPINCOUNT', '0')
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
