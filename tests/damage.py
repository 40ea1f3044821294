"""What can happen to a file on a disk."""


def truncated(path):
    path.write_bytes(path.read_bytes()[:-8])


def emptied(path):
    path.write_bytes(b"")


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def deleted(path):
    path.unlink()


FAULTS = [truncated, emptied, flipped, deleted]
