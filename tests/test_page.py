"""The page in a browser: opened offline in headless Chromium and used; by its structure where there is none."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore.report import Column, Comparison, Table, html_page, look_at
from restore.report.viewer import CROP, PREVIEW, different_places

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
NASTY = '<b>&"x\'</script><script>document.title="owned"</script>'

# Uses the page as a person would, and leaves what it saw in the body.
DRIVER = """
const seen = {};
const a = document.querySelector("article"), c = a.querySelector(".c"), r = c.querySelector("input");
r.value = 25; r.dispatchEvent(new Event("input"));
seen.cut = getComputedStyle(c).getPropertyValue("--x");
seen.clip = getComputedStyle(c.querySelector(".l")).clipPath;
const right = a.querySelectorAll("select")[1];
right.value = 2; right.dispatchEvent(new Event("change"));
seen.right = c.querySelector(".r").alt;
const zoom = a.querySelector(".zoom"), panes = [...zoom.querySelectorAll(".pane img")];
zoom.dispatchEvent(new KeyboardEvent("keydown", {key: "+"}));
zoom.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft"}));
seen.moves = panes.map(p => getComputedStyle(p).transform);
seen.zoom = zoom.querySelector("output").textContent;
const t = document.querySelector("table"), names = () => [...t.tBodies[0].rows].map(row => row.cells[0].textContent);
seen.rows = names();
t.tHead.rows[0].cells[1].querySelector("button").click(); seen.down = names();
t.tHead.rows[0].cells[1].querySelector("button").click(); seen.up = names();
seen.foot = t.tFoot.textContent;
seen.title = document.title;
seen.loaded = [...document.images].every(i => i.complete && i.naturalWidth > 0);
seen.wide = document.documentElement.scrollWidth <= document.documentElement.clientWidth;
seen.ink = getComputedStyle(document.body).color;
document.body.innerHTML = "<pre id=seen></pre>";
document.getElementById("seen").textContent = JSON.stringify(seen);
"""


def a_page(photo: np.ndarray) -> str:
    noise = np.random.default_rng(0).integers(-40, 40, photo.shape)
    noisy = np.clip(photo.astype(int) + noise, 0, 255).astype(np.uint8)
    look = look_at(
        NASTY,
        [("before", noisy), ("after", photo), ("truth", photo)],
        findings=["noise: sigma about 23"],
        actions=["denoise"],
    )
    rows = [
        {"image": "a", "psnr": 9.5},
        {"image": NASTY, "psnr": 31.25},
        {"image": "b", "psnr": float("nan")},
        {"image": "c", "psnr": 31.254},
    ]
    columns = [Column("image", "picture"), Column("psnr", "PSNR", 2)]
    table = Table("Pictures", rows, columns, footer={"image": "mean", "psnr": 24.0})
    return html_page(NASTY, tables=[table], comparisons=[look], pictures=300)


def opened(page: str, folder: Path, *, width: int, dark: bool = False) -> dict[str, Any] | None:
    """What the driver saw, or None (with a warning that says so) where no browser is installed."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        warnings.warn("no Chromium on this machine: the page was checked by its structure only", stacklevel=2)
        return None
    path = folder / "page.html"
    path.write_text(page.replace("</body>", f"<script>{DRIVER}</script></body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"]
    theme = "--blink-settings=preferredColorScheme=" + ("0" if dark else "1")
    home = f"--user-data-dir={folder / 'profile'}"
    run = subprocess.run(
        [browser, *options, theme, home, f"--window-size={width},900", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', run.stdout, re.DOTALL)
    assert found, run.stdout[-2000:] + run.stderr[-2000:]
    return dict(json.loads(html.unescape(found.group(1))))


class _Reader(HTMLParser):
    """Checks that tags are balanced, and collects them and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
def test_the_page_works_offline_wide_and_narrow(
    photo: np.ndarray, tmp_path: Path, width: int, dark: bool
) -> None:
    page = a_page(photo[:200, :330])
    reader = _Reader()
    reader.feed(page)
    assert reader.open == [] and NASTY.split("</script>")[0] in reader.text
    assert "1 of 300 pictures are shown" in reader.text
    assert sum(tag == "script" for tag, _ in reader.tags) == 1, "a name became a script"
    images = [str(a["src"]) for tag, a in reader.tags if tag == "img"]
    assert images and all(src.startswith("data:image/") for src in images)
    assert not re.search(r"https?:|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert "default-src 'none'" in page

    seen = opened(page, tmp_path, width=width, dark=dark)
    if seen is None:
        return
    assert seen["cut"] == "25%" and "75%" in seen["clip"]
    assert seen["right"] == "truth"
    moves = [[float(n) for n in re.findall(r"-?[\d.]+", m)] for m in seen["moves"]]
    assert seen["zoom"] == "×2" and moves[0][0] == 2 and moves[0][4] > 5
    assert all(np.allclose(m, moves[0], atol=0.05) for m in moves), "the crops moved apart"
    assert seen["rows"] == ["a", NASTY, "b", "c"]
    assert seen["down"] == ["c", NASTY, "a", "b"]  # by the number itself, not as rounded for show
    assert seen["up"] == ["a", NASTY, "c", "b"]  # what is missing stays last
    assert seen["foot"].startswith("mean") and seen["title"] == NASTY
    assert seen["loaded"] and seen["wide"], "a picture is missing, or the page is wider than its window"
    light = sum(map(int, re.findall(r"\d+", seen["ink"])[:3])) / 3
    assert (light > 128) == dark


def test_previews_are_bounded_and_crops_exact_where_the_difference_is() -> None:
    large = np.full((3000, 2000, 3), 90, np.uint8)
    other = large.copy()
    other[2500:2600, 300:420] = 200
    other[100:130, 1500:1530] = 120
    look = look_at("large", [("before", large), ("after", other)])
    assert all(max(view.shape) == PREVIEW for _, view in look.views) and look.size == (2000, 3000)
    (left, top, right, bottom), second = (crop.box for crop in look.crops)
    assert left <= 300 and right >= 420 and top <= 2500 and bottom >= 2600
    assert second[0] <= 1500 and second[2] >= 1530 and second[1] <= 100 and second[3] >= 130
    crop = look.crops[0].views[1]
    assert crop.shape == (CROP, CROP, 3) and np.array_equal(crop, other[top:bottom, left:right])
    # Nothing differs, nothing is pointed at; a smaller picture before an enlargement is shown beside it.
    assert not different_places(large, large, side=CROP)
    grown = look_at("x2", [("before", large[::2, ::2]), ("after", other)])
    assert len({view.shape for _, view in grown.views}) == 1
    assert isinstance(grown, Comparison)


def test_the_commands_write_the_page(samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in & out"
    folder.mkdir()
    for name in ("cat.png", "rocket.png"):
        Image.open(samples / name).crop((0, 0, 200, 180)).save(folder / f"<{name}")
    run = [sys.executable, "-m", "restore", "run", str(folder), "-o", str(tmp_path / "out")]
    page = tmp_path / "deep" / "page.html"
    made = subprocess.run(
        [*run, "-m", "median:size=3", "--html", str(page), "--threads", "1"], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    text = page.read_text()
    assert text.count("<article>") == 2 and "&lt;cat.png" in text and "2 pictures restored" in text
