"""Reading CSV and JSON: accepted variants and errors."""

import codecs
import contextlib
import json
import random
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailboxes.transfer.entries import Losses, SourceError
from mailboxes.transfer.readers import READERS, open_source, unpacking

ROW = "ann@example.org"


def entries(path, format_name, **options):
    with open_source(format_name, str(path)) as source:
        return list(READERS[format_name].read(source, Losses(), **options))


@pytest.fixture
def csv_of(tmp_path):
    def read(text, name="rows.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return entries(path, "csv", **options)

    return read


@pytest.fixture
def json_of(tmp_path):
    def read(text, **options):
        path = tmp_path / "rows.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return entries(path, "json", **options)

    return read


def refused(read, text, words, **options):
    with pytest.raises(SourceError) as error:
        read(text, **options)
    assert words in str(error.value)


# CSV


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_common_programs_is_read(csv_of, sign, mark, end):
    text = end.join(
        [sign.join(["Quota", "USERNAME", "name"]), sign.join(["5", ROW, "Ännchen"]), ""]
    )
    (entry,) = csv_of(mark + text.encode())
    assert entry.kind == "mailbox"
    assert entry.values == {"quota": "5", "username": ROW, "name": "Ännchen"}
    assert entry.place == "rows.csv, line 2"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("username,quota", "mailbox"),
        ("local_part,domain,name", "mailbox"),
        ("address,goto", "alias"),
        ("local_part,domain,goto", "alias"),
        ("domain,description", "domain"),
        ("target_domain,alias_domain", "alias-domain"),
        ("pattern,transport", "transport"),
        ("username,superadmin,domains", "admin"),
    ],
)
def test_the_table_is_detected_by_its_columns(csv_of, header, kind):
    (entry,) = csv_of(f"{header}\n{',' * header.count(',')}x\n")
    assert entry.kind == kind


def test_the_table_may_be_given(csv_of):
    (entry,) = csv_of("username,active\na,1\n", table="admins")
    assert entry.kind == "admin"


def test_line_ends_in_cells_count_as_lines(csv_of):
    first, second = csv_of('username,name\na,"one\ntwo"\nb,x\n')
    assert (first.place, second.place) == ("rows.csv, line 2", "rows.csv, line 4")
    assert first.values["name"] == "one\ntwo"


def test_the_escape_for_spreadsheets_is_removed(csv_of):
    (entry,) = csv_of("address,goto,description\n'@example.org,a@b.example,'=1+1\n")
    assert entry.values["address"] == "@example.org"
    assert entry.values["description"] == "=1+1"


def test_empty_lines_are_skipped_and_short_ones_refused(csv_of):
    empty, short = "\n,,\n", "a,b\n"
    (entry,) = csv_of(f"username,name,quota\n{empty}{short}")
    assert "2 columns" in entry.error
    assert entry.place == "rows.csv, line 4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("\n", "empty"),
        ("username,colour\na,b\n", "have no column “colour”"),
        ("username,username\na,b\n", "Duplicate"),
        ("username,address\na,b\n", "Duplicate"),
        ("name,colour\na,b\n", "table cannot be detected"),
        ('username,name\na,"b\n', "line 2"),
        ("username,name\na\0,b\n", "NUL"),
        ("username,name\na," + "x" * 2**21 + "\n", "line 2: This line is too long"),
        ("username,name\ra,b\r", "not valid CSV"),
        ("username,name" + "," * 200_000 + "\n", "no column"),
        ("username,name\na" + ',"x\n"' * 600_000 + "\n", "too long"),
        ("username,name\n" + "é" * 3 + ",x\n" + "x,y\n", ""),
    ],
)
def test_invalid_csv_is_reported_with_its_line(csv_of, text, words):
    if words:
        refused(csv_of, text, words)
    else:
        assert len(csv_of(text)) == 2


@pytest.mark.parametrize("codec", ["latin-1", "utf-16", "cp1251"])
def test_other_encodings_are_reported(csv_of, codec):
    refused(csv_of, "username,name\na,Ж\n".encode(codec, "replace") + b"\xff\xfe\xe9", "not UTF-8")


def test_a_line_of_a_hundred_megabytes_is_refused_with_little_memory(tmp_path):
    path = tmp_path / "rows.csv"
    with path.open("w") as file:
        file.write("username,name\nann@example.org,")
        for _piece in range(100):
            file.write("x" * 2**20)
    tracemalloc.start()
    with pytest.raises(SourceError, match="line 2"):
        entries(path, "csv")
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def archive(folder, files):
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return path


def test_a_zip_may_contain_several_tables_in_any_order(tmp_path):
    files = {"mailboxes.csv": f"username\n{ROW}\n", "domains.csv": "domain\nexample.org\n"}
    found = entries(archive(tmp_path, files), "csv")
    assert [entry.kind for entry in found] == ["domain", "mailbox"]


def test_a_folder_may_contain_several_tables(tmp_path):
    (tmp_path / "aliases.csv").write_text("address,goto\na@example.org,b@example.org\n")
    (tmp_path / "admins.csv").write_text("username,active\na,1\n")
    assert [entry.kind for entry in entries(tmp_path, "csv")] == ["admin", "alias"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"people.csv": "username\na\n"}, "named after their table"),
        ({"readme.txt": "x"}, "named after their table"),
        ({"../mailboxes.csv": "username\na\n"}, "points outside"),
        ({"a/../../mailboxes.csv": "username\na\n"}, "points outside"),
    ],
)
def test_paths_in_a_zip_cannot_escape(tmp_path, files, words):
    with pytest.raises(SourceError, match=words):
        entries(archive(tmp_path, files), "csv")


def test_a_zip_of_folders_within_folders_is_refused(tmp_path):
    with pytest.raises(SourceError, match="points outside"):
        entries(archive(tmp_path, {"a/" * 1900 + "mailboxes.csv": "username\na\n"}), "csv")


def test_a_row_of_very_many_lines_is_read_quickly(json_of):
    row = ",\n".join(f'"{n}": 1' for n in range(30_000))
    assert len(json_of('{"mailboxes": [{' + row + "}]}")) == 1


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 2**22)
    with pytest.raises(SourceError, match="too large"):
        entries(archive(tmp_path, {"mailboxes.csv": "x" * 2**23}), "csv")


def test_a_broken_zip_is_reported(tmp_path):
    path = archive(tmp_path, {"mailboxes.csv": "username\na\n" * 1000})
    data = bytearray(path.read_bytes())
    data[60:80] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(SourceError):
        entries(path, "csv")


@pytest.mark.parametrize("format_name", ["csv", "json"])
def test_a_missing_file_is_reported(format_name):
    with pytest.raises(SourceError, match="/nowhere/rows"):
        entries("/nowhere/rows", format_name)


# JSON

DOCUMENT = {"format": "mailadmin", "version": 1, "mailboxes": [{"username": ROW, "quota": 1.5}]}


@pytest.mark.parametrize("indent", [None, 0, 4])
def test_json_of_any_layout_is_read(json_of, indent):
    (entry,) = json_of(json.dumps(DOCUMENT, indent=indent))
    assert entry.kind == "mailbox"
    assert {name: str(value) for name, value in entry.values.items()} == {
        "username": ROW,
        "quota": "1.5",
    }


def test_a_list_of_rows_is_one_table(json_of):
    (entry,) = json_of(json.dumps([{"username": ROW, "password": "x"}]))
    assert entry.kind == "mailbox"


def test_json_rows_have_line_numbers(json_of):
    rows = ",\n".join(json.dumps({"username": f"u{n}@example.org"}) for n in range(5000))
    found = json_of('{"mailboxes": [\n' + rows + "\n]}")
    assert len(found) == 5000
    assert [found[n].place for n in (0, 4999)] == ["rows.json, line 2", "rows.json, line 5001"]


def test_json_on_one_line_is_read(json_of):
    rows = [{"username": f"u{n}@example.org", "name": "x" * 50} for n in range(30_000)]
    assert len(json_of(json.dumps({"mailboxes": rows}))) == 30_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expected “{”"),
        ("nonsense", "Expected"),
        ('{"people": []}', "Unknown table “people”"),
        ('{"format": "other"}', "not exported by the panel"),
        ('{"version": 2}', "later version"),
        ('{"mailboxes": [1]}', "must be an object"),
        ('{"mailboxes": [{"username": "a"},]}', "another value after the comma"),
        ('{"mailboxes": [{"username": "a"} {"username": "b"}]}', "Expected “,”"),
        ('{"mailboxes": [{"username": "a"}', "Expected"),
        ('{"mailboxes": [{"username": "a}', "line 1"),
        ('{"mailboxes": [{"quota": NaN}]}', "not valid JSON"),
        ('{"mailboxes": [{"quota": ' + "9" * 5000 + "}]}", "not valid JSON"),
        ("[" * 200_000, "not valid JSON"),
        ('{"mailboxes": [{"a": ' + "[" * 200_000, "not valid JSON"),
        ('{"mailboxes": [{"name": "' + "x" * 2**21, "too long"),
        ('{["a"]: 1}', "Expected"),
        ('{"mailboxes": [{"name": "\\ud800"}]}', "Unpaired surrogates"),
        ("{} {}", "Unexpected data"),
        ('{"mailboxes": []}\n\n\n]', "line 4"),
    ],
)
def test_invalid_json_is_reported_with_its_line(json_of, text, words):
    refused(json_of, text, words)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_never_crashes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(data)
    for format_name in ("csv", "json"):
        with contextlib.suppress(SourceError):
            entries(path, format_name)


def test_pieces_of_good_files_are_refused_or_read(tmp_path):
    text = json.dumps(DOCUMENT | {"aliases": [{"address": "ж@example.org", "goto": []}]}).encode()
    path, die = tmp_path / "rows.json", random.Random(1)  # noqa: S311 (a test)
    for _time in range(300):
        data = bytearray(text)
        for _change in range(die.randint(1, 3)):
            data[die.randrange(len(data))] = die.randrange(256)
        path.write_bytes(data[: die.randint(1, len(data))])
        with contextlib.suppress(SourceError):
            entries(path, "json")


def test_reading_needs_little_memory_at_any_size(tmp_path):
    peaks = []
    for count in (2_000, 40_000):
        path = tmp_path / f"{count}.csv"
        rows = (f"u{n}@example.org,{'x' * 100}\n" for n in range(count))
        path.write_text("username,name\n" + "".join(rows))
        tracemalloc.start()
        with open_source("csv", str(path)) as source:
            assert sum(1 for _entry in READERS["csv"].read(source, Losses())) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5 + 2**19, peaks
