"""Examples of drawings and of photographs, as they are met on the web, for fitting what tells them apart."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from restore.data.drawings import draw_picture
from restore.degradations.presets import degradation

Rng = np.random.Generator
# What the simulator does to photographs: names and severities 1 to 5.
_NAMES = (
    "noise jpeg blur defocus motion lowlight lowlight-gamma overexposure haze rain snow raindrop underwater fade "
    "scratches webp pixelate low-resolution poisson-gaussian raw-noise life life banding"
)
_FAULTS = _NAMES.split()
_KERNELS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def photograph_example(photo: np.ndarray, rng: Rng) -> np.ndarray:
    """A photograph ``H x W x 3`` uint8 cropped, resized, perhaps spoiled, processed, framed and coded."""
    x = _crop(photo, rng)
    x = _resize(x, rng, float(rng.uniform(0.35, 1.0)))
    kind = rng.random()
    if kind < 0.45:
        x = _fault(x, rng)
        if rng.random() < 0.15:
            x = _fault(x, rng)
    elif kind < 0.8:
        x = _PROCESSING[int(rng.integers(len(_PROCESSING)))](x, rng)
    if rng.random() < 0.12:
        x = _PROCESSING[int(rng.integers(len(_PROCESSING)))](x, rng)
    if rng.random() < 0.5:
        x = code(x, rng, 30)
    return x


def drawing_example(rng: Rng, drawing: np.ndarray | None, photo: np.ndarray) -> np.ndarray:
    """A drawing, given or procedural, resized, coded mildly, or with a small photograph in it, or as it is."""
    if drawing is None:
        h, w = rng.integers(180, 760, 2).tolist()
        x = (draw_picture(int(rng.integers(1 << 31)), h, w).permute(1, 2, 0).numpy() * 255).round()
        x = x.astype(np.uint8)
    else:
        x = _crop(drawing, rng)
        if rng.random() < 0.3:
            x = _resize(x, rng, float(rng.uniform(0.5, 1)))
    fate = rng.random()
    if fate < 0.15:
        x = _with_photo(x, photo, rng)
    elif fate < 0.22:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.3, 0.8)))
    elif fate < 0.26:
        x = as_grey(x, rng)
    if rng.random() < 0.45:
        x = code(x, rng, 75)
    return x


def code(x: np.ndarray, rng: Rng, worst: int) -> np.ndarray:
    """As JPEG or WebP of quality ``worst`` to 98."""
    file = io.BytesIO()
    quality = int(rng.integers(worst, 99))
    if rng.random() < 0.75:
        Image.fromarray(x).save(file, "JPEG", quality=quality, subsampling=int(rng.choice([0, 2])))
    else:
        Image.fromarray(x).save(file, "WEBP", quality=quality, method=2)
    return np.array(Image.open(file).convert("RGB"))


def as_grey(x: np.ndarray, rng: Rng) -> np.ndarray:
    """Without colour, or in the brown of old prints."""
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
    tint = [1.0, 1.0, 1.0] if rng.random() < 0.6 else [1.0, 0.88, 0.7]
    return np.rint(grey * np.array(tint)).astype(np.uint8)


def _crop(x: np.ndarray, rng: Rng) -> np.ndarray:
    h, w = x.shape[:2]
    ch, cw = (min(n, int(rng.integers(min(n, 200), min(n, 1000) + 1))) for n in (h, w))
    top, left = int(rng.integers(0, h - ch + 1)), int(rng.integers(0, w - cw + 1))
    return x[top : top + ch, left : left + cw]


def _resize(x: np.ndarray, rng: Rng, scale: float) -> np.ndarray:
    size = tuple(max(120, round(n * scale)) for n in x.shape[1::-1])
    return np.asarray(cv2.resize(x, size, interpolation=_KERNELS[int(rng.integers(len(_KERNELS)))]))


def _fault(x: np.ndarray, rng: Rng) -> np.ndarray:
    """One fault of the simulator at any severity."""
    name = str(rng.choice(_FAULTS))
    picture = torch.from_numpy(np.array(x)).permute(2, 0, 1)[None].float() / 255
    what = degradation(name)
    seed = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
    params = what.sample(tuple(picture.shape), severity=float(rng.uniform(0.5, 5)), generator=seed)
    y = what.apply(picture, params)[0].clamp(0, 1).permute(1, 2, 0).numpy()
    y = np.repeat(y, 3, 2) if y.shape[2] == 1 else y
    return np.rint(y * 255).astype(np.uint8)


def _frame(x: np.ndarray, rng: Rng) -> np.ndarray:
    top, bottom, left, right = (int(rng.uniform(0, 0.2) * min(x.shape[:2])) for _ in range(4))
    colour = [255, 0, int(rng.integers(0, 256))][int(rng.integers(3))]
    edges = ((top, bottom), (left, right), (0, 0))
    return np.pad(x, edges, constant_values=colour)


def _cut_out(x: np.ndarray, rng: Rng) -> np.ndarray:
    """A product on a white, black or coloured ground."""
    h, w = x.shape[:2]
    inside: np.ndarray = np.zeros((h, w), np.float32)
    axes = (int(w * rng.uniform(0.3, 0.5)), int(h * rng.uniform(0.3, 0.5)))
    cv2.ellipse(inside, (w // 2, h // 2), axes, 0, 0, 360, 1.0, -1)
    inside = cv2.GaussianBlur(inside, (0, 0), float(rng.uniform(0.5, 6)))[..., None]
    ground = float([255, 0, int(rng.integers(0, 256))][int(rng.integers(3))])
    return np.rint(ground + inside * (x - ground)).astype(np.uint8)


def _gain(x: np.ndarray, rng: Rng) -> np.ndarray:
    """Exposed far too long or too short: much of it clipped or in a few levels."""
    gain, offset = float(2 ** rng.uniform(-3.5, 2.2)), float(rng.choice([0, 0, -20, -60, 40]))
    return np.clip(np.rint(x * gain + offset), 0, 255).astype(np.uint8)


def _posterise(x: np.ndarray, rng: Rng) -> np.ndarray:
    step = float(rng.choice([4, 8, 12, 16, 24, 32]))
    return np.clip(np.floor(x / step) * step + step / 2, 0, 255).astype(np.uint8)


def _stretch(x: np.ndarray, rng: Rng) -> np.ndarray:
    """Contrast stretched, equalised or by a gamma, in 8 bits: a histogram with gaps."""
    if rng.random() < 0.3:
        return cv2.merge([cv2.equalizeHist(c) for c in cv2.split(x)])
    table = (np.linspace(0, 1, 256) ** rng.uniform(0.35, 2.5) * 255).round().astype(np.uint8)
    return np.asarray(table[x])


def _smooth(x: np.ndarray, rng: Rng) -> np.ndarray:
    """Denoised too much: medians, bilateral filters, blur, or blur followed by sharpening."""
    kind = rng.integers(4)
    if kind == 0:
        return cv2.medianBlur(x, int(rng.choice([3, 5, 7, 9])))
    if kind == 1:
        return cv2.bilateralFilter(x, 7, float(rng.uniform(15, 90)), float(rng.uniform(2, 6)))
    soft = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.8, 8)))
    if kind == 2:
        return soft
    return cv2.addWeighted(soft, 2.5, cv2.GaussianBlur(soft, (0, 0), 2), -1.5, 0)


def _enlarge(x: np.ndarray, rng: Rng) -> np.ndarray:
    """Pixels repeated or interpolated, 2 to 5 times, perhaps no whole number of times."""
    times = float(rng.integers(2, 6)) if rng.random() < 0.6 else float(rng.uniform(1.3, 4))
    small = cv2.resize(x, None, fx=1 / times, fy=1 / times, interpolation=cv2.INTER_AREA)
    kernel = [cv2.INTER_NEAREST, cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC][int(rng.integers(4))]
    return np.asarray(cv2.resize(small, None, fx=times, fy=times, interpolation=kernel))


def _letter(x: np.ndarray, rng: Rng) -> np.ndarray:
    """A caption, a date, a mark in a corner; perhaps on a bar."""
    picture = Image.fromarray(x)
    draw = ImageDraw.Draw(picture)
    h, w = x.shape[:2]
    y = int(rng.choice([4, h - 40]))
    if rng.random() < 0.4:
        draw.rectangle((0, y - 4, w, y + 30), fill=(0, 0, 0) if rng.random() < 0.5 else (255, 255, 255))
    ink = tuple(rng.integers(0, 256, 3).tolist())
    draw.text(
        (8, y), "20:15 a picture of the town, 2019"[: w // 12], fill=ink, font=ImageFont.load_default(20)
    )
    return np.array(picture)


def _coarse(x: np.ndarray, rng: Rng) -> np.ndarray:
    """Coded far too much: whole blocks are flat."""
    file = io.BytesIO()
    kind = "JPEG" if rng.random() < 0.8 else "WEBP"
    Image.fromarray(x).save(file, kind, quality=int(rng.integers(3, 35)))
    return np.array(Image.open(file).convert("RGB"))


_PROCESSING: tuple[Callable[[np.ndarray, Rng], np.ndarray], ...] = (
    _frame,
    _cut_out,
    _gain,
    _gain,
    _gain,
    _posterise,
    _stretch,
    _smooth,
    _smooth,
    _enlarge,
    _enlarge,
    _letter,
    _coarse,
    _coarse,
    as_grey,
)


def _with_photo(x: np.ndarray, photo: np.ndarray, rng: Rng) -> np.ndarray:
    """A photograph on up to a third of the drawing."""
    h, w = x.shape[:2]
    share = float(rng.uniform(0.05, 0.33))
    ph = int(h * min(1.0, np.sqrt(share) * rng.uniform(0.7, 1.4)))
    pw = min(w, int(share * h * w / max(ph, 1)))
    if min(ph, pw) < 16:
        return x
    top, left = int(rng.integers(0, h - ph + 1)), int(rng.integers(0, w - pw + 1))
    out = x.copy()
    out[top : top + ph, left : left + pw] = cv2.resize(photo, (pw, ph), interpolation=cv2.INTER_AREA)
    return out
