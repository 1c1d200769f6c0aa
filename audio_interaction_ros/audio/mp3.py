"""Tells MPEG audio frames from raw samples; knows nothing else of either."""

__all__ = ['looks_like_mp3']

_BITRATES_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_RATES_HZ = (44_100, 48_000, 32_000)


def looks_like_mp3(data: bytes) -> bool:
    """
    Return whether data starts with an ID3 tag or a whole MPEG-1/2 layer III frame.

    A sync word alone also occurs in raw samples, so the frame must end where the data ends or
    the next frame begins.
    """
    if data[:3] == b'ID3':
        return True
    length = _frame_length(data)
    return length > 4 and (len(data) == length or _frame_length(data[length:]) > 0)


def _frame_length(data: bytes) -> int:
    """Return the bytes of the frame whose header opens data, 0 when there is none."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return 0
    version = data[1] >> 3 & 3  # 3 = MPEG-1, 2 = MPEG-2, 0 = MPEG-2.5
    rate_index, bitrate_index = data[2] >> 2 & 3, data[2] >> 4
    if version == 1 or rate_index == 3 or bitrate_index in (0, 15):
        return 0
    rate_hz = _RATES_HZ[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    low_kbps = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
    kbps = _BITRATES_KBPS[bitrate_index] if version == 3 else low_kbps[bitrate_index]
    samples_per_bit = 144_000 if version == 3 else 72_000
    return samples_per_bit * kbps // rate_hz + (data[2] >> 1 & 1)
