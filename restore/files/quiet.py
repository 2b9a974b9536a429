"""Libraries that decode pictures tell the terminal what they dislike; here they are kept quiet.

What matters of it is in the error of the picture, and every picture that fails is named.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import os
import re
import warnings
from pathlib import Path

import cv2

_SILENT = 0
_MESSAGES = re.compile(r"PIL\.")


def quiet_libraries() -> None:
    """Silences what Pillow, its libtiff and OpenCV say of damaged files. Cheap; call it before every decoding.

    Filters are added and never taken away again: other threads may be changing them meanwhile.
    """
    # Whoever resets the filters (a test, a notebook) takes ours with them.
    if not any(f[0] == "ignore" and f[3] == _MESSAGES for f in warnings.filters[:8]):
        warnings.filterwarnings("ignore", module=_MESSAGES.pattern)
    _quiet_once()


@functools.cache
def _quiet_once() -> None:
    # What is told to a logger that nobody listens to, Python prints.
    for name in ("PIL", "tifffile"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(_SILENT)
    # libtiff has no other switch than its handlers, and Pillow offers no way to them.
    with contextlib.suppress(OSError, AttributeError, UnicodeDecodeError):
        mapped = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        places = {line.split(None, 5)[-1] for line in mapped if re.search(r"/libtiff[^/]*$", line)}
        for place in sorted(places):
            library = ctypes.CDLL(place)
            library.TIFFSetErrorHandler(None)
            library.TIFFSetWarningHandler(None)
