"""The scripted process of the package, by path: ``scripted_process.py NODE …``. Not a test."""

from audio_interaction_ros.nodes.scripted_process import main, scripted

__all__ = ['main', 'scripted']

if __name__ == '__main__':
    raise SystemExit(main())
