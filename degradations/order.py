"""Where in the life of a picture a degradation happens: the order in which several of them belong."""

from __future__ import annotations

from collections.abc import Mapping

# From the scene to the shelf.
PLACES: Mapping[str, tuple[str, ...]] = {
    "medium": (
        "haze", "fog", "night-haze", "sandstorm", "rain", "rain-streaks",
        "rain-splashes", "varied-rain", "snow", "snow-flakes", "varied-snow",
        "scene-haze", "varied-haze", "underwater", "tinted-water", "varied-water", "imagenet-c-fog", "imagenet-c-snow",
        "frost",
    ),
    "lens": (
        "raindrop", "glass-drops", "varied-drops", "spatter", "distortion", "chromatic-aberration", "vignetting",
        "blur", "defocus", "kernel-blur", "gaussian_blur", "defocus_blur", "glass_blur",
        "zoom_blur", "zoom-blur", "partial-blur",
    ),
    "motion": (
        "motion", "line-blur", "rotation-blur", "varied-blur", "camera-shake",
        "motion_blur", "rolling-shutter", "elastic_transform", "elastic_transform-2019",
    ),
    "exposure": (
        "lowlight", "lowlight-gamma", "dim-light", "varied-dark", "overexposure", "brightness", "contrast",
        "saturate",
    ),
    "sensor": (
        "raw-noise", "poisson-gaussian", "noise", "awgn", "scaled-poisson", "channel-noise", "correlated-noise",
        "chroma-noise", "varied-noise",
        "speckle", "impulse", "line-noise", "film-grain", "dead-pixels", "gaussian_noise", "shot_noise",
        "impulse_noise", "speckle_noise",
    ),
    "processing": (
        "moire", "varied-moire", "demosaic", "camera-denoise", "sharpen", "tone-curve", "clip", "quantise", "banding",
    ),
    "resize": ("downsample", "resize", "low-resolution", "pixelate", "imagenet-c-pixelate"),
    "codec": ("jpeg", "jpeg-diff", "double-jpeg", "webp", "avif", "jpeg_compression"),
    "print and storage": (
        "halftone", "fade", "mildew", "water-stain", "crease", "scratches", "dust", "watermark", "mask",
        "print-tone", "cracks", "print-margin", "varied-print", "varied-damage",
    ),
}  # fmt: skip
OTHER = "other"


def place_of(name: str) -> str:
    """The place of a degradation by name; "other" for one that is in no list."""
    return next((place for place, names in PLACES.items() if name in names), OTHER)


def by_place(names: list[str]) -> dict[str, list[str]]:
    """The names by place, in the physical order."""
    grouped = {place: [n for n in known if n in names] for place, known in PLACES.items()}
    grouped[OTHER] = sorted(n for n in names if place_of(n) == OTHER)
    return {place: members for place, members in grouped.items() if members}
