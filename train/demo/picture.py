"""
A stream as a picture: what is heard, which clip is where and how loud, who says what when.

Draws with matplotlib into PNG bytes; knows nothing of pages. Replies are numbered as
``number_replies`` numbers them, so that a list beside the picture can give their texts.
"""

import io

import numpy as np

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.records import Reply, Stream

__all__ = ['COLOURS', 'LANE_COLOURS', 'number_replies', 'draw_stream']

COLOURS = {'foreground': '#2f6f9f', 'background': '#8a6fb0', 'ambient': '#5d9a76',
           'noise': '#a9a29a'}
LANE_COLOURS = {'transcript': '#4a5a6a', 'translation': '#b0762a', 'assistant': '#b3423a'}
INK, PAPER, FAINT = '#2b2f33', '#fdfcf9', '#e4e0d8'
RATE = SAMPLE_RATE_HZ


def number_replies(stream: Stream) -> list[tuple[int, str, Reply]]:
    """Return number, lane and reply of all lanes but the transcript, in order of time."""
    replies = [(name, reply) for name, lane in stream.lanes.items() if name != 'transcript'
               for reply in lane.replies]
    replies.sort(key=lambda item: (item[1].chunk, item[0]))
    return [(index + 1, name, reply) for index, (name, reply) in enumerate(replies)]


def draw_spectrogram(axis, samples: np.ndarray) -> None:
    """Draw the spectrogram, 80 dB deep."""
    window = np.hanning(512)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, 256), 512)[::160]
    power = 20 * np.log10(np.abs(np.fft.rfft(frames * window)) + 1e-5).T
    top = power.max()
    axis.imshow(power, origin='lower', aspect='auto', cmap='magma', vmin=top - 80, vmax=top,
                extent=(0, len(samples) / RATE, 0, RATE / 2000), interpolation='bilinear')
    axis.set_yticks([0, 4, 8], ['0', '4', '8 kHz'])


def draw_events(axis, stream: Stream) -> None:
    """Draw one bar per event with its name and gain; a row per role."""
    roles = [role for role in COLOURS if any(event.role == role for event in stream.events)]
    # several that last the whole stream need a row each
    rows: list[tuple[str, list]] = []
    for role in roles:
        events = [event for event in stream.events if event.role == role]
        rows += [(role, events)] if role in ('foreground', 'background') else [
            (role, [event]) for event in events]
    for row, (role, events) in enumerate(rows):
        for event in events:
            axis.barh(-row, event.end_s - event.start_s, left=event.start_s, height=0.72,
                      color=COLOURS[role], alpha=0.9, linewidth=0)
            room = int((event.end_s - event.start_s) / stream.seconds * 165)
            name = event.clip.text or event.clip.label.replace('_', ' ') or event.clip.id
            label = f'{name}  {event.gain_db:+.0f} dB'
            if len(label) > room:
                name = name[:max(0, room - 8)] + '…'
                label = f'{name} {event.gain_db:+.0f}' if room > 10 else f'{event.gain_db:+.0f}'
            axis.text(event.start_s + 0.06, -row, label, va='center', ha='left', fontsize=7.5,
                      color='white', clip_on=True)
    axis.set_yticks([-row for row in range(len(rows))], [role for role, _ in rows])
    axis.set_ylim(-len(rows) + 0.5, 0.5)


def draw_replies(axis, stream: Stream) -> None:
    """Draw a row per lane: words of the transcript, numbers for what the list spells out."""
    lanes = [lane for lane in LANE_COLOURS if lane in stream.lanes]
    for row, name in enumerate(lanes):
        colour = LANE_COLOURS[name]
        for reply in stream.lanes[name].replies:
            if name == 'transcript':
                axis.text((reply.chunk + 1) * stream.chunk_s, -row - 0.38, reply.text, rotation=38,
                          fontsize=7, color=colour, ha='left', va='bottom',
                          rotation_mode='anchor')
                axis.plot((reply.chunk + 1) * stream.chunk_s, -row - 0.42, marker=2, color=colour,
                          markersize=4)
    for number, name, reply in number_replies(stream):
        axis.plot((reply.chunk + 1) * stream.chunk_s, -lanes.index(name), 'o', markersize=13,
                  color=LANE_COLOURS[name], markeredgewidth=0)
        axis.text((reply.chunk + 1) * stream.chunk_s, -lanes.index(name) - 0.02, str(number),
                  ha='center', va='center', fontsize=7.5, color='white')
    axis.set_yticks([-row for row in range(len(lanes))], lanes)
    axis.set_ylim(-len(lanes) + 0.5, 0.85 if lanes and lanes[0] == 'transcript' else 0.5)


def draw_stream(stream: Stream, samples: np.ndarray) -> bytes:
    """Return a PNG of a stream, 1210 pixels wide; samples [n] at 16 kHz."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    rows = len({event.role for event in stream.events}) + 1
    figure, axes = pyplot.subplots(
        3, 1, sharex=True, figsize=(11, 2.6 + 0.26 * rows + 0.5 * len(stream.lanes)),
        height_ratios=(1.5, 0.26 * rows, 0.55 * max(1, len(stream.lanes))), facecolor=PAPER)
    draw_spectrogram(axes[0], samples)
    draw_events(axes[1], stream)
    draw_replies(axes[2], stream)
    seconds = stream.seconds
    for axis in axes:
        axis.set_facecolor(PAPER)
        axis.set_xlim(0, seconds)
        axis.tick_params(length=0, labelsize=8, colors=INK)
        for spine in axis.spines.values():
            spine.set_visible(False)
    for axis in axes[1:]:
        axis.set_xticks(np.arange(0, seconds + 0.01, 2.0))
        for chunk in range(stream.chunks + 1):
            axis.axvline(chunk * stream.chunk_s, color=FAINT, linewidth=0.5, zorder=0)
    axes[2].set_xlabel(f'seconds; a line every chunk of {stream.chunk_s:g} s; a reply '
                       'stands at the end of the chunk after which it is given', fontsize=8,
                       color=INK)
    figure.subplots_adjust(left=0.085, right=0.99, top=0.985, bottom=0.13, hspace=0.09)
    data = io.BytesIO()
    figure.savefig(data, dpi=110)
    pyplot.close(figure)
    return data.getvalue()
