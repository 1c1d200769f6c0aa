"""A page that is served with a hub to tell it things, and who acknowledges what on it."""

from concurrent.futures import Future
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Page:
    """A hub and its server; ``acknowledged`` has the ids that somebody asked for."""

    def __init__(self, **settings):
        from audio_interaction_ros.config import MonitorConfig
        from audio_interaction_ros.monitor.hub import Hub
        self.config = MonitorConfig(**{'port': 0, **settings})
        self.hub = Hub({'name': 'robot', 'raw_audio': self.config.raw_audio, 'version': '0'})
        self.acknowledged = []
        self.server = None

    def acknowledge(self, alert_id):
        self.acknowledged.append(alert_id)
        answer = Future()
        answer.set_result((True, f'acknowledged {alert_id}'))
        return answer

    def application(self):
        from audio_interaction_ros.monitor.server import make_application
        return make_application(folder=ROOT / 'page', config=self.config, hub=self.hub,
                                acknowledge=self.acknowledge)

    def start(self, port=0):
        from audio_interaction_ros.monitor.server import PageServer
        self.server = PageServer(self.application(), host=self.config.host, port=port)
        self.server.start()
        return self.server.address

    def close(self):
        if self.server is not None:
            self.server.close()

    @staticmethod
    def open_alert(key='a-1', **more):
        return {'key': key, 'label': 'smoke_alarm', 'message': 'A smoke alarm is sounding.',
                'severity': 'CRITICAL', 'state': 'active', 'count': 1, 'onset': 12.0, 'seen': 13.0,
                'evidence': 'sound', 'score': 0.98, 'threshold': 0.9, 'bearing': None, **more}

    @staticmethod
    def text(key, said, *, final=True, stable=None, **more):
        return {'key': key, 'kind': 'transcript', 'text': said, 'final': final,
                'stable': len(said) if stable is None else stable, 'at': 4.2, 'language': 'en',
                'source': 'second_pass', 'sure': 0.9, 'origin': '', 'bearing': None, **more}


@pytest.fixture
def pages():
    """Return a function that makes pages."""
    made = []

    def make(**settings):
        made.append(Page(**settings))
        return made[-1]
    yield make
    for page in made:
        page.close()


@pytest.fixture
def page(pages):
    """Return one page, not yet served."""
    return pages()
