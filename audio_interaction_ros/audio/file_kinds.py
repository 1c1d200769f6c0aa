"""
What bytes seem to be, by how they begin: a recording that libsndfile reads, or something named.

Owns the signatures. A signature that is weak (MP3 has none but a few bits) is looked at twice:
samples without a header must never pass for a recording, they would come out as noise.
"""

__all__ = ['HEAD_BYTES', 'is_readable', 'name_kind']

HEAD_BYTES = 4096
"""As much as is looked at; the two frames of an MP3 lie in it."""

_READABLE = (b'fLaC', b'OggS', b'ID3', b'.snd', b'caff', b'riff\x2e\x91\xcf\x11', b'RIFX')
_NAMES = (
    (b'\x1aE\xdf\xa3', 'WebM or Matroska'), (b'#!AMR', 'AMR'), (b'0&\xb2u', 'Windows Media'),
    (b'RIFF', 'RIFF that is no WAV, such as AVI'), (b'\x89PNG', 'a PNG picture'),
    (b'\xff\xd8\xff', 'a JPEG picture'), (b'GIF8', 'a GIF picture'), (b'%PDF', 'PDF'),
    (b'PK\x03\x04', 'a ZIP archive'), (b'\x1f\x8b', 'gzip'), (b'(\xb5/\xfd', 'Zstandard'),
    (b'\x89MCAP0', 'an MCAP bag (played by audio_file_node)'),
    (b'SQLite format 3', 'an SQLite database, perhaps a bag (played by audio_file_node)'),
    (b'\x7fELF', 'a program'), (b'\x80\x02', 'a Python pickle'), (b'MThd', 'MIDI'),
    (b'FLV', 'Flash video'), (b'wvpk', 'WavPack'), (b'MAC ', 'Monkey\'s Audio'),
    (b'NIST_1A', 'NIST SPHERE'), (b'Creative Voice', 'VOC'))

_MPEG_KBPS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)}


def is_readable(head: bytes) -> bool:
    """Say whether libsndfile reads what begins like this (WAV is looked at elsewhere)."""
    return (head.startswith(_READABLE)
            or (head.startswith(b'FORM') and head[8:12] in (b'AIFF', b'AIFC'))
            or _is_mpeg(head))


def name_kind(head: bytes) -> str:
    """Return what these bytes seem to be, in words."""
    for start, name in _NAMES:
        if head.startswith(start):
            return name
    if head[4:8] == b'ftyp':
        return 'M4A or MP4'
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return 'AAC, or samples without a header'
    if _is_text(head):
        return 'text'
    return 'samples without a header, or something unknown'


def _is_text(head: bytes) -> bool:
    for cut in range(4):  # the last letter may be cut
        try:
            text = head[:len(head) - cut].decode('utf-8')
        except UnicodeDecodeError:
            continue
        return all(letter.isprintable() or letter in '\r\n\t\f\ufeff' for letter in text)
    return False


def _is_mpeg(head: bytes) -> bool:
    """Say whether a frame of MPEG audio is followed by another."""
    length = _mpeg_frame_bytes(head[:4])
    return 0 < length <= len(head) - 4 and _mpeg_frame_bytes(head[length:length + 4]) > 0


def _mpeg_frame_bytes(header: bytes) -> int:
    """Return the length of the frame that begins so; 0: none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3  # 3: MPEG-1; 3, 2, 1: layer I, II, III
    rate_code, speed = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or layer == 0 or rate_code == 3 or speed in (0, 15):
        return 0
    first = version == 3
    kbps = _MPEG_KBPS[first, layer if first or layer == 3 else 2][speed - 1]
    rate_hz = (44_100, 48_000, 32_000)[rate_code] // {3: 1, 2: 2, 0: 4}[version]
    padding = header[2] >> 1 & 1
    if layer == 3:
        return (12_000 * kbps // rate_hz + padding) * 4
    return (72_000 if layer == 1 and not first else 144_000) * kbps // rate_hz + padding
