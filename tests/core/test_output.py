"""A stream that cannot end a run."""

import io
import os

from logpi.core.output import ForgivingStream


def test_characters_beyond_the_encoding_are_escaped():
    raw = io.BytesIO()
    stream = ForgivingStream(io.TextIOWrapper(raw, encoding="cp1252"))
    print("return 1.0 … π", file=stream, flush=True)
    assert raw.getvalue() == "return 1.0 … \\u03c0\n".encode("cp1252")


def test_a_reader_that_has_gone_raises_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        stream = ForgivingStream(pipe)
        for _ in range(3):
            print("x" * 100_000, file=stream, flush=True)
        assert not stream.isatty()


def test_a_process_without_a_stream():
    stream = ForgivingStream(None)
    print("nothing", file=stream, flush=True)
    assert stream.encoding == "utf-8" and not stream.isatty()
