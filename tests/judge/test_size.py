"""Sizes: what can be written, what is refused, and how they are said."""

import pytest

from cronverifyd.judge.size import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("7B", 7),
        ("1kB", 1_000),
        ("1KB", 1_000),
        ("2MB", 2_000_000),
        ("3GB", 3_000_000_000),
        ("1TB", 1_000_000_000_000),
        ("1KiB", 1_024),
        ("1MiB", 1_048_576),
        ("1GiB", 1_073_741_824),
        ("1TiB", 1_099_511_627_776),
        ("0.5kB", 500),
    ],
)
def test_a_size_is_read_in_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "1.5", "10 MB", "-1", "10mb", "1M", "1e3", "1.MB", "10MB\n", "٣"]
)
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="must be a size such as"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (812, "812 bytes"),
        (1_000, "1 kB"),
        (1_024, "1 KiB"),
        (16_384, "16 KiB"),
        (16_383, "16 kB"),
        (1_500_000, "1.5 MB"),
        (999_999, "1 MB"),
        (9_960_000, "10 MB"),
        (523_000_001, "523 MB"),
        (2_048_000, "2 MB"),
        (3 * 1_024**3, "3 GiB"),
        (5e15, "5000 TB"),
    ],
)
def test_a_size_is_said_in_the_unit_that_fits(size, words):
    assert format_size(size) == words
