"""Pictures with known noise, blur, enlargement and coding, which the error bars of the diagnosis are fitted on.

Every picture goes through: the scene (blurred by a line, a random path, a disc or a Gaussian, or not), an enlargement
or none, noise (none, white, correlated, or that of a camera: mosaic, demosaiced, smoothed, tone curve), shrinking,
JPEG. What was done is measured on what it did: noise is the difference between the same picture with it and without.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

SIDE = 240
_KERNELS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_AREA)


@dataclass(frozen=True)
class Case:
    """A picture (``H x W x 3`` uint8) and what is true of it, by the name of the quantity."""

    pixels: np.ndarray
    truth: dict[str, float]


def make_case(photo: np.ndarray, rng: np.random.Generator) -> Case:
    """One random case from a photograph ``H x W x 3`` uint8, a sharp and clean one."""
    scene = _crop(photo, rng)
    truth = {"blur width": 0.0, "blur length": 0.0, "blur direction": 0.0, "enlargement": 1.0}
    if rng.random() < 0.15:
        scene = scene * rng.uniform(0.08, 0.6)
    if rng.random() < 0.5:
        psf = random_psf(rng)
        scene = cv2.filter2D(scene, cv2.CV_32F, psf, borderType=cv2.BORDER_REFLECT)
        truth |= psf_size(psf)
    if rng.random() < 0.25:
        scene, truth["enlargement"] = _enlarged(scene, rng)
    for key in ("blur width", "blur length"):
        truth[key] *= truth["enlargement"]
    clean, noisy = _with_noise(scene, rng)
    if rng.random() < 0.2:
        scale = float(rng.uniform(0.5, 0.95))
        kernel = _KERNELS[rng.integers(4)] if scale > 0.7 else cv2.INTER_AREA
        clean, noisy = (cv2.resize(x, None, fx=scale, fy=scale, interpolation=kernel) for x in (clean, noisy))
        for key in ("blur width", "blur length"):
            truth[key] *= scale
        truth["enlargement"] = max(1.0, truth["enlargement"] * scale)
    files = [_stored(x) for x in (clean, noisy)]
    if rng.random() < 0.55:
        quality, sampling = int(rng.integers(40, 99)), int(rng.choice([0, 2]))
        files = [coded(x, quality, sampling) for x in files]
    return Case(files[1], truth | noise_truth(files[1].astype(np.float32) - files[0]))


def noise_truth(noise: np.ndarray) -> dict[str, float]:
    """Deviations of ``h x w x 3`` by name, over the channels, and of luma and chroma by scale."""
    y = noise @ np.array([0.299, 0.587, 0.114], np.float32)
    colours = [0.564 * (noise[..., 2] - y), 0.713 * (noise[..., 0] - y)]
    found = {"noise level": float(np.sqrt((cv2.meanStdDev(noise)[1] ** 2).mean()))}
    for scale in (1, 2, 4):
        h, w = (n // scale for n in y.shape)

        def spread(x: np.ndarray, to: tuple[int, int] = (w, h), s: int = scale) -> float:
            small = cv2.resize(x[: to[1] * s, : to[0] * s], to, interpolation=cv2.INTER_AREA)
            return float(cv2.meanStdDev(small)[1][0, 0]) ** 2

        found[f"luma noise, scale {scale}"] = spread(y) ** 0.5
        found[f"chroma noise, scale {scale}"] = float(np.mean([spread(c) for c in colours])) ** 0.5
    return found


def random_psf(rng: np.random.Generator) -> np.ndarray:
    """A Gaussian, a disc, a straight line or a random path, of the sum 1."""
    kind = rng.choice(["gaussian", "disc", "line", "path"], p=[0.2, 0.15, 0.25, 0.4])
    reach = 32
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    if kind == "gaussian":
        s = np.exp(rng.uniform(np.log(0.6), np.log(5)))
        psf = np.exp(-(x * x + y * y) / (2 * s * s))
    elif kind == "disc":
        r = np.exp(rng.uniform(np.log(1.2), np.log(9)))
        psf = np.clip(r + 0.5 - np.hypot(x, y), 0, 1)
    else:
        length, steps = np.exp(rng.uniform(np.log(4), np.log(40))), 600
        turn = 0.0 if kind == "line" else rng.uniform(0, 2.5) / np.sqrt(steps)
        angle = rng.uniform(0, np.pi) + np.cumsum(rng.normal(0, 1, steps)) * turn
        path = np.cumsum(np.stack([np.cos(angle), np.sin(angle)]) * length / steps, 1)
        path -= path.mean(1, keepdims=True)
        edges = np.arange(-reach - 0.5, reach + 1)
        psf = np.histogram2d(path[1], path[0], bins=[edges, edges])[0]
        psf = cv2.GaussianBlur(psf, (0, 0), rng.uniform(0.35, 0.7))
    return (psf / psf.sum()).astype(np.float32)


def psf_size(psf: np.ndarray) -> dict[str, float]:
    """The deviation (mean over both axes), the length of the line that spreads as the longer axis does more than the
    shorter, and the direction of that, 0 to 180 degrees counted from the x axis towards the top."""
    rows, columns = np.mgrid[: psf.shape[0], : psf.shape[1]]
    total = psf.sum()
    y, x = rows - (psf * rows).sum() / total, columns - (psf * columns).sum() / total
    xx, yy, xy = ((psf * m).sum() / total for m in (x * x, y * y, x * y))
    gap = np.hypot(xx - yy, 2 * xy)
    return {
        "blur width": float(np.sqrt((xx + yy) / 2)),
        "blur length": float(np.sqrt(12 * gap)),
        "blur direction": float(np.degrees(0.5 * np.arctan2(-2 * xy, xx - yy)) % 180),
    }


def coded(pixels: np.ndarray, quality: int, subsampling: int = 2) -> np.ndarray:
    """After JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


def _crop(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    h, w = (min(n, SIDE + 40) for n in photo.shape[:2])
    top, left = (int(rng.integers(0, n - m + 1)) for n, m in zip(photo.shape[:2], (h, w), strict=True))
    part = photo[top : top + h, left : left + w].astype(np.float32)
    return part[:, ::-1] if rng.random() < 0.5 else part


def _enlarged(scene: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The middle of the scene, shrunk first so that the small picture is as sharp as can be, and enlarged."""
    factor = float(rng.choice([2, 3, 4])) if rng.random() < 0.5 else float(rng.uniform(1.3, 4))
    if rng.random() < 0.6:
        scene = cv2.resize(scene, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    kernel = _KERNELS[rng.choice(3, p=[0.3, 0.5, 0.2])]
    large = cv2.resize(scene, None, fx=factor, fy=factor, interpolation=kernel)
    return np.ascontiguousarray(large[: SIDE + 40, : SIDE + 40]), factor


def _with_noise(scene: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The scene without and with noise, both after what the camera did."""
    kind = rng.choice(["none", "white", "correlated", "camera"], p=[0.4, 0.2, 0.15, 0.25])
    if kind == "none":
        return scene, scene
    if kind == "camera":
        return _camera(scene, rng)
    sigma = np.exp(rng.uniform(np.log(1.5), np.log(45)))
    channels = 1 if rng.random() < 0.2 else 3
    field = rng.standard_normal((*scene.shape[:2], channels)).astype(np.float32)
    if kind == "correlated":
        smooth = cv2.GaussianBlur(field, (0, 0), rng.uniform(0.4, 2.0))
        field = np.asarray(smooth, np.float32).reshape(field.shape)
        sigma *= 0.5
    if rng.random() < 0.3:
        field = field * np.sqrt(0.1 + np.clip(scene, 0, 255) / 255)
    return scene, scene + sigma * field / field.std()


def _camera(scene: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both through a mosaic in linear light, with and without noise, smoothed a little, and a tone curve."""
    gains = np.array([rng.uniform(1.2, 2.4), 1.0, rng.uniform(1.2, 2.2)], np.float32)
    light = (np.clip(scene, 0, 255) / 255) ** 2.2 / gains
    shot, read = np.exp(rng.uniform(np.log(1e-4), np.log(1.5e-2))), np.exp(rng.uniform(-8.5, -4))
    bayer = light[..., 1].copy()
    bayer[::2, ::2], bayer[1::2, 1::2] = light[::2, ::2, 0], light[1::2, 1::2, 2]
    field = rng.standard_normal(bayer.shape).astype(np.float32)
    noisy = bayer + field * np.sqrt(shot * np.maximum(bayer, 0) + read * read)
    method = cv2.COLOR_BayerRGGB2RGB_EA if rng.random() < 0.7 else cv2.COLOR_BayerRGGB2RGB
    smooth_y, smooth_c = rng.uniform(0, 1.1) * (rng.random() < 0.7), rng.uniform(0, 3) * (rng.random() < 0.7)
    sharpen = rng.uniform(0, 0.8)
    made = []
    for plane in (bayer, noisy):
        whole = (np.clip(plane, 0, 1) * 65535 + 0.5).astype(np.uint16)
        colours = cv2.cvtColor(whole, method).astype(np.float32) / 65535 * gains
        x = 255 * np.clip(colours, 0, 1) ** (1 / 2.2)
        ycc = cv2.cvtColor(x.astype(np.float32), cv2.COLOR_RGB2YCrCb)
        for k, s in enumerate((smooth_y, smooth_c, smooth_c)):
            if s > 0.2:
                ycc[..., k] = cv2.GaussianBlur(ycc[..., k], (0, 0), s)
        y = ycc[..., 0]
        ycc[..., 0] = y + sharpen * (y - cv2.GaussianBlur(y, (0, 0), 1.0))
        made.append(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB))
    return made[0], made[1]


def _stored(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)
