"""Which frames of a sequence are left out to choose the blend of `--mode auto`."""

MAX_FRAMES = 16  # left out; more would cost more time than they tell


def left_out_numbers(count: int) -> list[int]:
    """Return the numbers of frames that are made from their neighbours: all but the ends, or some evenly spaced."""
    inner = count - 2
    if inner <= MAX_FRAMES:
        return list(range(1, max(1, count - 1)))
    return [1 + round(number * (inner - 1) / (MAX_FRAMES - 1)) for number in range(MAX_FRAMES)]


def compared_numbers(count: int) -> list[int]:
    """Return the numbers of the frames that are left out, and of their neighbours."""
    return sorted({near for number in left_out_numbers(count) for near in (number - 1, number, number + 1)})
