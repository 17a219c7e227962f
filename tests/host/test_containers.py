"""Containers: which are whole, what is said of those that are not, and what a look may cost."""

import bz2
import gzip
import io
import json
import lzma
import random
import sqlite3
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib
from contextlib import closing
from pathlib import Path
from time import perf_counter

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.host import jsontext
from cronverifyd.host.containers import fault_of

MIB = 1024 * 1024
NOTHING = "is whole but holds nothing"

DUMP = b"".join(b"INSERT INTO t VALUES (%d, '%x');\n" % (n, n * n * 7_919) for n in range(9_000))
NOISE = random.Random(1).randbytes(3 * MIB // 2)


def zstd(data, **options):
    return zstandard.ZstdCompressor(write_checksum=True, **options).compress(data)


PACK = {
    "gz": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "bz2": bz2.compress,
    "zst": zstd,
}
packings = pytest.mark.parametrize("end", PACK)


def tarred(*members, form=tarfile.PAX_FORMAT):
    """Build a tar archive of (name, data) pairs."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def zipped(*members, how=zipfile.ZIP_DEFLATED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return made.getvalue()


TAR = tarred(("a.sql", DUMP), ("b.bin", NOISE), ("empty", b""))
ZIP = zipped(("a.sql", DUMP), ("b.bin", NOISE), ("empty", b""))


def fault(name, data, **options):
    return fault_of(io.BytesIO(data), Path("/backups") / name, **options)


# ---- whole


@packings
@pytest.mark.parametrize("data", [DUMP, NOISE, b"x"], ids=["a dump", "noise", "a byte"])
def test_a_packed_file_is_whole(end, data):
    assert fault(f"db.sql.{end}", PACK[end](data)) is None


@packings
@pytest.mark.parametrize("zeros", [0, 4, 512, 3 * MIB], ids="{} zeros".format)
def test_members_may_follow_each_other_and_zeros_the_last(end, zeros):
    pack = PACK[end]
    data = pack(DUMP) + pack(b"") + pack(NOISE) + bytes(zeros)
    assert fault(f"db.sql.{end}", data) is None


@packings
def test_what_is_packed_is_known_by_its_content_too(end):
    assert fault("backup", PACK[end](DUMP)) is None
    assert fault("backup", PACK[end](DUMP)[:-1]) is not None


@packings
@pytest.mark.parametrize(
    "form",
    [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT],
    ids=["ustar", "gnu", "pax"],
)
def test_a_tar_archive_is_whole_bare_and_packed(end, form):
    name = "d/" * 60 + "name" if form == tarfile.USTAR_FORMAT else "n" * 300
    data = tarred((name, DUMP), ("ümlaut", b"x" * 512), form=form)
    assert fault("a.tar", data) is None
    assert fault("backup", data) is None
    assert fault(f"a.tar.{end}", PACK[end](data)) is None


def test_an_archive_of_the_tar_program_is_whole_with_folders_links_and_holes(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(DUMP)
    (tmp_path / "link").symlink_to("folder/file")
    (tmp_path / "hard").hardlink_to(tmp_path / "folder/file")
    with (tmp_path / "holes").open("wb") as holes:
        for at in range(64):  # more than the four that the header itself has room for
            holes.seek(at * MIB)
            holes.write(b"x" * 4_096)
    for form in ("gnu", "oldgnu", "pax", "v7"):
        archive = tmp_path / f"{form}.tar"
        sparse = [] if form == "v7" else ["--sparse"]
        names = ["folder", "link", "hard", "holes"]
        subprocess.run(
            ["tar", f"--format={form}", *sparse, "-C", tmp_path, "-cf", archive, *names], check=True
        )
        with archive.open("rb") as file:
            assert fault_of(file, archive) is None, form
        assert fault("a.tar", archive.read_bytes()[:-10_240]) is not None, form


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_archive_is_whole(how):
    data = zipped(("a.sql", DUMP), ("folder/", b""), how=how)
    assert fault("a.zip", data) is None
    assert fault("report.xlsx", data) is None


def test_of_an_encrypted_zip_member_only_the_entry_is_looked_at():
    data = bytearray(zipped(("secret", DUMP)))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + flags] |= 1
    data[60] ^= 0xFF
    assert fault("a.zip", bytes(data)) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("a.json", b'{"a": [1, 2.5e3, null, true, "\\u00e4\\n"]}\n', id="an object"),
        pytest.param("a.json", b'\n\n [\n {"a": 1},\n {"a": 2}\n]', id="lines of an array"),
        pytest.param("a.json", b"3", id="a number"),
        pytest.param("a.json", b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param("a.json", b'["\\ud800", "\\\\ud83d"]', id="half a surrogate pair"),
        pytest.param("a.json", b'{"a": 1}\n{"a": 2}\n', id="lines that are called json"),
        pytest.param("a.json", b"[" * 50_000 + b"]" * 50_000, id="very deep"),
        pytest.param("a.jsonl", b'{"a": 1}\n\n{"a": 2}\r\n[]', id="lines"),
        pytest.param("a.ndjson", b'{"a": "\xc3\xa4"}\n' * 200_000, id="many lines"),
    ],
)
def test_json_is_whole(name, text):
    assert fault(name, text) is None
    assert fault(f"{name}.gz", gzip.compress(text)) is None


@pytest.mark.parametrize("name", ["a.sql", "a.db", "a.gz.gpg", "noname", "a.gzip"])
def test_any_other_file_is_whole_if_it_can_be_read(name):
    assert fault(name, NOISE) is None


# ---- SQLite


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "app.sqlite3"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT NOT NULL CHECK (id > 0))")
        made.execute("CREATE INDEX by_words ON t (words)")
        rows = [(n, f"{n * 7_919:x}" * 20) for n in range(1, 5_000)]
        made.executemany("INSERT INTO t VALUES (?, ?)", rows)
        made.commit()
    return path


def fault_at(path):
    with path.open("rb") as file:
        return fault_of(file, path)


def test_a_database_is_whole_and_stays_as_it_was(database):
    before = database.read_bytes()
    assert fault_at(database) is None
    assert fault_at(database.rename(database.with_name("100% of?#ä.db"))) is None
    assert [path.read_bytes() for path in database.parent.iterdir()] == [before]


def test_a_database_in_wal_mode_is_whole(database):
    with closing(sqlite3.connect(database)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("DELETE FROM t WHERE id % 2")
        made.commit()
    assert fault_at(database) is None
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_rows_that_break_a_rule_of_their_table_are_no_damage(database):
    with closing(sqlite3.connect(database)) as made:
        made.execute("PRAGMA ignore_check_constraints = ON")
        made.execute("INSERT INTO t VALUES (-1, 'x')")
        made.commit()
    assert fault_at(database) is None


def test_an_order_that_only_the_application_knows_is_no_damage(database):
    with closing(sqlite3.connect(database)) as made:
        made.create_collation("ours", lambda a, b: (a > b) - (a < b))
        made.execute("CREATE TABLE u (words TEXT COLLATE ours PRIMARY KEY)")
        made.executemany("INSERT INTO u VALUES (?)", [("a",), ("b",)])
        made.commit()
    assert fault_at(database) is None


def cut_in_half(data):
    return data[: len(data) // 8192 * 4096]


def cut_in_the_header(data):
    return data[:60]


def without_pages_in_the_middle(data):
    return data[: 4096 * 40] + bytes(4096 * 40) + data[4096 * 80 :]


def with_a_page_of_another_file(data):
    return data[: 4096 * 40] + NOISE[:4096] + data[4096 * 41 :]


def with_odd_pages(data):
    return data[:16] + b"\x03\x01" + data[18:]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(cut_in_half, "is cut off: ", id="cut in half"),
        pytest.param(cut_in_the_header, "is cut off within its first page", id="cut at once"),
        pytest.param(without_pages_in_the_middle, "is corrupt: ", id="a hole"),
        pytest.param(with_a_page_of_another_file, "is corrupt: ", id="a foreign page"),
        pytest.param(with_odd_pages, "is corrupt: its pages have 769 bytes", id="odd pages"),
    ],
)
def test_a_damaged_database_is_told(database, spoil, said):
    database.write_bytes(spoil(database.read_bytes()))
    wrong = fault_at(database)
    assert wrong is not None
    assert wrong.startswith(said)
    assert "\n" not in wrong


def test_a_cut_database_says_how_much_of_it_is_there(database):
    data = database.read_bytes()
    database.write_bytes(data[: 10 * 4096 + 7])
    assert fault_at(database) == f"is cut off: 10 of its {len(data) // 4096} pages are there"


def test_a_database_without_tables_holds_nothing(tmp_path):
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA user_version = 1")
    assert fault_at(path) == NOTHING


# ---- not whole


BROKEN = [
    *(
        pytest.param(f"x.{end}", b"Access denied for user", f"is not {kind}", id=f"no {kind}")
        for end, kind in [
            *(("gz", "gzip"), ("tgz", "gzip"), ("xz", "xz"), ("bz2", "bzip2"), ("zst", "zstd")),
            *(("zip", "zip"), ("tar", "tar"), ("sqlite", "SQLite")),
        ]
    ),
    pytest.param("x.xz", gzip.compress(DUMP), "is not xz", id="gzip that is called xz"),
    pytest.param("x.gz", ZIP, "is not gzip", id="zip that is called gz"),
    pytest.param("x.zip", b"", "is empty", id="empty"),
    pytest.param(
        "x.gz", gzip.compress(DUMP)[:-1], "is cut off: its gzip data has no end", id="gzip cut"
    ),
    pytest.param(
        "x.gz", gzip.compress(DUMP)[:4], "is cut off: its gzip data has no end", id="gzip cut early"
    ),
    pytest.param(
        "x.gz",
        gzip.compress(DUMP)[:-8] + bytes(4) + gzip.compress(DUMP)[-4:],
        "is broken gzip: incorrect data check",
        id="gzip checksum",
    ),
    pytest.param(
        "x.gz",
        gzip.compress(DUMP)[:-4] + bytes(4),
        "is broken gzip: incorrect length check",
        id="gzip length",
    ),
    pytest.param(
        "x.gz",
        gzip.compress(DUMP) + gzip.compress(DUMP)[:-1],
        "is cut off: its gzip data has no end",
        id="the second gzip member cut",
    ),
    pytest.param(
        "x.gz",
        gzip.compress(DUMP) + b"ERROR",
        "has bytes behind its end that are not gzip",
        id="words behind gzip",
    ),
    pytest.param("x.xz", lzma.compress(DUMP)[:-1], "is cut off: its xz data has no end", id="xz"),
    pytest.param(
        "x.xz",
        lzma.compress(DUMP)[:99] + bytes(9) + lzma.compress(DUMP)[108:],
        "is broken xz: Corrupt input data",
        id="xz spoilt",
    ),
    pytest.param(
        "x.bz2", bz2.compress(DUMP)[:-1], "is cut off: its bzip2 data has no end", id="bzip2"
    ),
    pytest.param(
        "x.bz2",
        bz2.compress(DUMP)[:99] + bytes(9) + bz2.compress(DUMP)[108:],
        "is broken bzip2: Invalid data stream",
        id="bzip2 spoilt",
    ),
    pytest.param("x.zst", zstd(DUMP)[:-1], "is cut off: its zstd data has no end", id="zstd"),
    pytest.param(
        "x.zst",
        zstd(DUMP)[:-4] + bytes(4),
        "is broken zstd: Restored data doesn't match checksum",
        id="zstd checksum",
    ),
    pytest.param(
        "x.zip",
        ZIP[:-1],
        "is cut off: its zip directory, which comes last, is not there",
        id="zip",
    ),
    pytest.param(
        "x.zip",
        ZIP[: len(ZIP) // 2],
        "is cut off: its zip directory, which comes last, is not there",
        id="half of a zip",
    ),
    pytest.param(
        "x.zip",
        zipped(("inner.zip", zipped(("a", b"a"))), ("b", b"b"), how=zipfile.ZIP_STORED)[:150],
        "is cut off: its zip directory, which comes last, is not there",
        id="a zip that ends with the one within it",
    ),
    pytest.param(
        "x.zip",
        zipped(("a", b"abcdefg"), how=zipfile.ZIP_STORED).replace(b"abcdefg", b"abcdefh"),
        "is broken zip: Bad CRC-32 for file 'a'",
        id="zip checksum",
    ),
    pytest.param(
        "x.tar",
        TAR[:-10_240],
        'is cut off within its tar member "b.bin"',
        id="tar cut within a member",
    ),
    pytest.param(
        "x.tar",
        TAR[: 512 + -(-len(DUMP) // 512) * 512],
        "is cut off: its tar archive has no end after 1 member",
        id="tar cut between members",
    ),
    pytest.param(
        "x.tar",
        TAR[: 512 + -(-len(DUMP) // 512) * 512] + b"x" * 2_048,
        "has a damaged tar header after 1 member",
        id="tar header",
    ),
    pytest.param(
        "x.tar.gz",
        gzip.compress(TAR[:-10_240]),
        'is cut off within its tar member "b.bin"',
        id="a whole gzip of a cut tar",
    ),
    pytest.param("x.tgz", gzip.compress(DUMP), "is not tar", id="tgz without tar"),
    pytest.param("x.json", b'{"a": 1', "is not JSON: it is truncated", id="json cut"),
    pytest.param("x.json", b"  \n", "is not JSON: it is truncated", id="json of spaces"),
    pytest.param(
        "x.json", b'{"a": NaN}', "is not JSON: invalid character (byte 6)", id="json of python"
    ),
    pytest.param("x.json", b'"\xff"', "is not JSON: invalid start byte", id="json not in UTF-8"),
    pytest.param(
        "x.json", b'["\\ud800",}', "is not JSON: invalid character (byte 10)", id="json, one place"
    ),
    pytest.param(
        "x.json", b"<html>", "is not JSON: invalid character (byte 0)", id="html for json"
    ),
    pytest.param(
        "x.jsonl",
        b'{"a": 1}\n{"a": 2}\n{"a',
        "is not JSON in line 3: it is truncated",
        id="lines cut",
    ),
    pytest.param(
        "x.json",
        b'{"a": 1}\n' * 300_000 + b"{]\n{}",
        "is not JSON in line 300001: expected '\"' (byte 1)",
        id="a line spoilt",
    ),
    pytest.param(
        "x.json.zst", zstd(b'{"a": 1'), "is not JSON: it is truncated", id="json cut, then packed"
    ),
]


@pytest.mark.parametrize(("name", "data", "sentence"), BROKEN)
def test_what_is_not_whole_is_told(name, data, sentence):
    assert fault(name, data) == sentence


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *(pytest.param(f"x.sql.{end}", pack(b""), id=end) for end, pack in PACK.items()),
        pytest.param("x.sql.gz", gzip.compress(b"") * 3, id="three times nothing"),
        pytest.param("x.tar", tarred(), id="tar"),
        pytest.param("x.tar.gz", gzip.compress(tarred()), id="tar.gz"),
        pytest.param("x.tar", tarred(form=tarfile.GNU_FORMAT), id="tar of GNU"),
        pytest.param("x.zip", zipped(), id="zip"),
        pytest.param("x.jsonl", b"\n \n", id="lines"),
    ],
)
def test_a_container_of_nothing_is_told(name, data):
    assert fault(name, data) == NOTHING


# ---- any damage


WHOLE = {
    **{f"db.sql.{end}": pack(NOISE[:70_000] + DUMP) for end, pack in PACK.items()},
    **{f"a.tar.{end}": pack(tarred(("a", DUMP[:9_000]))) for end, pack in PACK.items()},
    "a.zip": ZIP,
    "nested.zip": zipped(("i.zip", zipped(("a", DUMP))), ("b", b"b"), how=zipfile.ZIP_STORED),
    "a.json": json.dumps([{"n": n, "t": "ä"} for n in range(999)]).encode(),
}
names = st.sampled_from(sorted(WHOLE))


@given(names, st.data())
def test_a_container_that_is_cut_anywhere_is_never_whole(name, data):
    whole = WHOLE[name]
    assert fault(name, whole) is None
    assert fault(name, whole[: data.draw(st.integers(0, len(whole) - 1))]) is not None


@given(names, st.data())
def test_a_spoilt_container_makes_a_sentence_or_none_and_never_an_error(name, data):
    whole = WHOLE[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    put = data.draw(st.binary(min_size=1, max_size=40))
    said = fault(name, whole[:at] + put + whole[at + len(put) :])
    assert said is None or not said.startswith("cannot be read")
    assert said is None or said == " ".join(said.split())


@given(st.sampled_from(sorted(WHOLE.keys() - {"a.json", "nested.zip"})), st.data())
def test_a_flipped_bit_of_the_packed_data_is_found(name, data):
    whole = bytearray(WHOLE[name])
    at = data.draw(st.integers(len(whole) // 4, len(whole) * 3 // 4))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    assert fault(name, bytes(whole)) is not None


ENDS = ["gz", "xz", "bz2", "zst", "zip", "tar", "tgz", "json", "jsonl", "sqlite", "bin"]
MAGICS = [
    *(b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh91AY&SY", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"),
    *(b"PK\x05\x06" + bytes(18), b"SQLite format 3\0", b"\x50\x2a\x4d\x18", b""),
]


@given(st.sampled_from(ENDS), st.sampled_from(MAGICS), st.binary(max_size=2_000))
def test_any_bytes_at_all_make_a_sentence_or_none(end, magic, rest):
    said = fault(f"x.{end}", magic + rest)
    assert said is None or said


# ---- what a look may cost


def peak_of(look):
    tracemalloc.start()
    try:
        look()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@packings
def test_a_bomb_is_not_unpacked_beyond_the_bound_and_not_held(end):
    bomb = PACK[end](bytes(256 * MIB)) + b"never reached"
    said = []
    begin = perf_counter()
    peak = peak_of(lambda: said.append(fault(f"bomb.{end}", bomb, most=32 * MIB)))
    assert said == [None]
    assert peak < 30 * MIB
    assert perf_counter() - begin < 20


def test_a_bomb_in_a_zip_is_not_unpacked_beyond_the_bound_and_not_held():
    bomb = zipped(("zeros", bytes(256 * MIB)), ("b", b"abc")).replace(b"abc", b"abd")
    said = []
    peak = peak_of(lambda: said.append(fault("bomb.zip", bomb, most=32 * MIB)))
    assert said == [None]
    assert peak < 10 * MIB


def test_a_file_of_endless_tiny_members_is_given_up():
    members = gzip.compress(b"") * 500_000
    begin = perf_counter()
    assert fault("x.gz", members, most=8 * MIB) is None
    assert perf_counter() - begin < 10


def test_a_file_is_read_up_to_the_bound_and_judged_by_that():
    text = WHOLE["a.json"][:-1]
    assert fault("x.json", text, most=len(text)) is not None
    assert fault("x.json", text, most=len(text) - 1) is None


def test_a_file_is_unpacked_up_to_the_bound_and_judged_by_that():
    packed = gzip.compress(DUMP)[:-1]
    assert fault("x.gz", packed, most=len(DUMP) + 1_024) is not None
    assert fault("x.gz", packed, most=len(DUMP) - 1) is None


def test_a_zip_directory_too_large_to_be_held_is_not_read():
    """A name of 60,000 bytes, 100 times: six megabytes of directory."""
    data = zipped(*((f"{n:05}" * 12_000, b"") for n in range(100)))
    peak = peak_of(lambda: fault("x.zip", data))
    assert fault("x.zip", data) is None
    assert peak < 6 * MIB


def test_what_needs_more_memory_than_there_is_for_it_is_not_judged():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 512 * MIB, "preset": 0}]
    packer = lzma.LZMACompressor(filters=filters)
    large = packer.compress(DUMP) + packer.flush()
    assert fault("x.xz", large) is None
    long = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=0)
    packer = zstandard.ZstdCompressor(compression_params=long).compressobj()
    assert fault("x.zst", packer.compress(DUMP) + packer.flush()) is None


def test_a_zstd_dictionary_that_is_not_here_is_no_fault():
    words = [b"INSERT INTO t VALUES (%d, 'a common beginning')" % n for n in range(4_000)]
    packer = zstandard.ZstdCompressor(dict_data=zstandard.train_dictionary(4_096, words))
    assert fault("x.zst", packer.compress(DUMP)) is None


def test_a_frame_to_be_skipped_is_skipped():
    skipped = struct.pack("<II", 0x184D2A50, 4) + b"abcd"
    assert fault("x.zst", skipped + zstd(DUMP)) is None
    assert fault("x.zst", skipped) == NOTHING


def test_of_a_tar_member_beyond_8_gib_the_true_size_counts():
    info = tarfile.TarInfo("huge")
    info.size = 9 * 1024**3
    data = info.tobuf(tarfile.PAX_FORMAT) + bytes(MIB)
    assert fault("x.tar", data) == 'is cut off within its tar member "huge"'
    info = tarfile.TarInfo("huge")
    info.size = 9 * 1024**3
    data = info.tobuf(tarfile.GNU_FORMAT) + bytes(MIB)
    assert fault("x.tar", data) == 'is cut off within its tar member "huge"'


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (b"]\n ", None),
        (b"1,", "is not JSON: it begins with [ and does not end with its like"),
    ],
    ids=["closed", "cut"],
)
def test_of_a_very_large_document_the_ends_are_compared(end, said):
    text = b"[" + b"1," * (jsontext.MOST_DOCUMENT_BYTES // 2) + end
    assert fault("x.json", text) == said


def test_a_line_without_end_is_given_up():
    text = b'"' + b"x" * (jsontext.MOST_DOCUMENT_BYTES + 2 * MIB)
    assert fault("x.jsonl", text) is None


def test_an_old_tar_with_signed_checksums_is_whole():
    """Some programs summed the bytes up as signed ones (GNU tar's manual, "Standard")."""
    data = bytearray(tarred(("\xe4", b"x"), form=tarfile.GNU_FORMAT))
    header = bytes(data[:148]) + b" " * 8 + bytes(data[156:512])
    signed = sum(struct.unpack("512b", header))
    assert signed != sum(header)
    data[148:156] = b"%06o\0 " % signed
    assert fault("x.tar", bytes(data)) is None


def test_zlib_itself_agrees_that_a_flat_stream_is_no_gzip():
    assert fault("x.gz", zlib.compress(DUMP)) == "is not gzip"
