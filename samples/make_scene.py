"""
Makes ``scene.flac``: a spoken order, a smoke alarm, a question, a door bell, and quiet between.

Nothing in it is a recording of somebody else: speech comes from flite's voices slt and rms (free
licence of Carnegie Mellon University), the alarm is the ISO 8201 rhythm, the chime is two tones.

    python samples/make_scene.py samples/scene.flac
"""

import subprocess
import sys
import tempfile

import numpy as np
import soundfile

from train.sounds.signals import make

RATE = 16_000
PARTS = (  # begins at second, what
    (1.0, 'slt', 'Please bring me a glass of water from the kitchen.'),
    (6.5, 'rms', 'What is the weather like today?'),
    (11.0, 'smoke_alarm_t3', ''),
    (19.0, 'slt', 'Stop right there and open the door.'),
    (24.0, 'doorbell_two_tone', ''),
    (28.0, 'rms', 'Thank you very much.'),
)


def say(voice: str, text: str) -> np.ndarray:
    """Return speech [n] float32 at 16 kHz; needs the command flite."""
    with tempfile.NamedTemporaryFile(suffix='.wav') as file:
        subprocess.run(['flite', '-voice', voice, '-t', text, '-o', file.name], check=True)
        samples, rate = soundfile.read(file.name, dtype='float32')
    assert rate == RATE, f'expected {RATE} Hz from flite, got {rate}'
    return samples / np.abs(samples).max() * 0.5


def main() -> None:
    rng = np.random.default_rng(4)
    scene = rng.standard_normal(32 * RATE).astype(np.float32) * 0.0004
    for second, what, text in PARTS:
        clip = say(what, text) if text else make(what, rng, seconds=5.0)
        start = int(second * RATE)
        scene[start:start + len(clip)] += clip[:len(scene) - start]
    soundfile.write(sys.argv[1], np.clip(scene, -1, 1), RATE)


if __name__ == '__main__':
    main()
