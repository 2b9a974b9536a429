"""Photoshop's image resources, where JPEG, PNG and TIFF keep IPTC.

Source: Adobe Photoshop file formats specification (2019), "Image resource blocks"; IPTC-NAA IIM 4.2.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from restore.files.metadata import Metadata

IPTC = 0x0404


def iptc_of(resources: bytes) -> bytes | None:
    """The IPTC record among Photoshop's resources, None where there is none."""
    at = 0
    while len(head := resources[at : at + 7]) == 7 and head[:4] in (
        b"8BIM",
        b"MeSa",
        b"PHUT",
        b"AgHg",
        b"DCSR",
    ):
        (number,) = struct.unpack_from(">H", head, 4)
        at += 6 + (head[6] + 2) // 2 * 2  # a name with its length before, both together even
        if len(resources) < at + 4:
            return None
        (size,) = struct.unpack_from(">I", resources, at)
        at += 4
        if number == IPTC:
            return resources[at : at + size]
        at += size + size % 2
    return None


def with_iptc(metadata: Metadata, record: bytes) -> Metadata:
    """``metadata`` with an IPTC record among Photoshop's resources; as it is where one is there already."""
    resources = metadata.photoshop or b""
    if iptc_of(resources) is not None:
        return metadata
    block = b"8BIM" + struct.pack(">HHI", IPTC, 0, len(record)) + record + bytes(len(record) % 2)
    return replace(metadata, photoshop=resources + block)
