"""Tables, sheets and the page: what a reader of the bytes would find."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import skimage.data
from PIL import Image

from restore.errors import UsageError
from restore.report import (
    Column,
    Comparison,
    Table,
    contact_sheet,
    dumps,
    html_page,
    markdown_table,
    rich_table,
)
from restore.report.sheet import busiest_window, to_uint8

COLUMNS = [
    Column("model", "model"),
    Column("psnr", "PSNR", 2, best="high"),
    Column("seconds", "s/MP", 1, best="low"),
]
ROWS = [
    {"set": "a", "model": "input", "psnr": 20.174, "seconds": math.nan},
    {"set": "a", "model": "x|y", "psnr": 31.001, "seconds": 2.0},
    {"set": "a", "model": "z", "psnr": 31.0, "seconds": 1.0},
    {"set": "b", "model": "alone", "psnr": math.inf, "seconds": 3.0},
]


def test_markdown_table_marks_the_best_of_each_group():
    lines = markdown_table(ROWS, COLUMNS, group="set").splitlines()
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert cells[0] == ["model", "PSNR", "s/MP"]
    assert re.fullmatch(r"\| -+ \| -+: \| -+: \|", lines[1])
    # Equal as shown is equal; one row alone has nothing to win against.
    assert cells[2:] == [
        ["input", "20.17", "–"],
        ["x\\|y", "**31.00**", "2.0"],
        ["z", "**31.00**", "**1.0**"],
        ["alone", "inf", "3.0"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_rich_table_has_every_cell():
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=100).print(rich_table(ROWS, COLUMNS, title="scores", group="set"))
    text = out.getvalue()
    assert all(part in text for part in ("scores", "x|y", "20.17", "inf", "–"))


def test_json_is_strict_and_keeps_what_numbers_mean():
    text = dumps({"a": [math.nan, math.inf, -math.inf, 1.5], "b": (1, "é")})
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert read == {"a": [None, "Infinity", "-Infinity", 1.5], "b": [1, "é"]}
    assert float(read["a"][1]) == math.inf


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0, 128, 255]], np.uint8),
        np.array([[0, 128 * 257, 65535]], np.uint16),
        np.array([[-0.3, 128 / 255, 1.7]], np.float32),
    ],
)
def test_every_kind_of_picture_shows_alike(array):
    assert to_uint8(array).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


def test_contact_sheet_holds_the_pixels_and_its_captions():
    left, right = skimage.data.astronaut()[:60, :90], skimage.data.camera()[:40, :50]
    sheet = contact_sheet(
        [[(left, "noisy\n20.17 dB"), (right, "a caption far too long for fifty pixels")]], zoom=2
    )
    pixels = np.asarray(sheet)
    assert np.array_equal(pixels[10 : 10 + 120 : 2, 10 : 10 + 180 : 2], left)
    assert np.array_equal(pixels[10:90:2, 200:300:2, 1], right)
    # Ink below both pictures, none at the sheet's edge: nothing is cut off.
    assert pixels[135:, 10:190].min() < 100 and pixels[95:, 200:].min() < 100
    edge = np.concatenate(
        [pixels[:, :5].ravel(), pixels[:, -5:].ravel(), pixels[-3:].ravel(), pixels[:5].ravel()]
    )
    assert edge.min() == 255
    assert contact_sheet([[(left, "")], [(right, "")]]).height > 60 + 40


def test_contact_sheet_refuses_nothing():
    with pytest.raises(UsageError, match="at least one picture"):
        contact_sheet([[]])


def test_busiest_window_finds_the_detail():
    picture = np.zeros((100, 140), np.uint8)
    picture[60:80, 100:130] = np.random.default_rng(0).integers(0, 255, (20, 30))
    rows, columns = busiest_window(picture, 48)
    assert rows.start <= 60 and rows.stop >= 80 and columns.start <= 100 and columns.stop >= 130
    assert busiest_window(picture[:5, :7], 48) == (slice(0, 5), slice(0, 7))
    assert busiest_window(picture[:1, :1], 48) == (slice(0, 1), slice(0, 1))


class _Reader(HTMLParser):
    """Checks that tags are balanced and collects what the test asks about."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_is_one_file_with_exact_small_pictures():
    before, after = skimage.data.astronaut()[:50, :70], skimage.data.astronaut()[50:100, :70]
    large = skimage.data.camera()[:40].repeat(2, 1)
    page = html_page(
        "bench <of> everything",
        notes=["protocol & more"],
        facts={"torch": "2"},
        tables=[Table("Scores", ROWS, COLUMNS, group="set"), Table("Each", ROWS, COLUMNS, folded=True)],
        comparisons=[
            Comparison("a <b>.png", [("noisy", before), ("denoised", after), ("truth", before)]),
            Comparison("large", [("one", large), ("two", large)]),
        ],
    )
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    assert (
        "bench <of> everything" in reader.text
        and "protocol & more" in reader.text
        and "a <b>.png" in reader.text
    )
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    images = [attrs for tag, attrs in reader.tags if tag == "img"]
    kinds, data = zip(
        *(str(i["src"]).removeprefix("data:image/").split(";base64,") for i in images), strict=True
    )
    assert kinds == ("png", "png", "png", "jpeg", "jpeg")
    decoded = [np.asarray(Image.open(io.BytesIO(base64.b64decode(d)))) for d in data]
    assert np.array_equal(decoded[0], before) and np.array_equal(decoded[1], after)
    assert [i["class"].split() for i in images[:3]] == [["l"], ["r"], []]
    assert sum(tag == "input" and a["type"] == "range" for tag, a in reader.tags) == 2
    assert "JPEG previews" in reader.text
