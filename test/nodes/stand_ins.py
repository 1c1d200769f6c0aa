"""What stands in for a sound library and for who reads words, in tests of nodes."""

from audio_interaction_ros.runtimes.base import Recognition


class Whisper:
    """Reads the same of everything."""

    def __init__(self, text):
        self._text = text

    def transcribe(self, samples, languages=()):
        return Recognition(text=self._text, language='en', mean_log_prob=-0.1)


class FakeStream:
    def __init__(self, library, **options):
        self.options, self.library, self.active = options, library, False

    def start(self):
        self.active = True
        self.library.streams.append(self)

    def close(self):
        self.active = False


class FakeSound:
    """A sound library with two inputs, which can be unplugged."""

    def __init__(self):
        self.streams, self.plugged = [], True

    def query_devices(self, device=None, kind=None):
        found = [{'name': 'HDA speakers', 'max_input_channels': 0, 'default_samplerate': 48000.0},
                 {'name': 'USB microphone', 'max_input_channels': 1,
                  'default_samplerate': 48000.0},
                 {'name': 'ReSpeaker array', 'max_input_channels': 6,
                  'default_samplerate': 16000.0}] if self.plugged else []
        return found if kind is None else found[device or 1]

    def InputStream(self, **options):  # noqa: N802 - the name in sounddevice
        return FakeStream(self, **options)
