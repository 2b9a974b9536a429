"""The orientation inside an XMP packet: read, and set to upright.

Source: XMP specification part 1 (ISO 16684-1), 7 (serialisation) and part 2, 3.3 (the namespace of TIFF properties).
"""

from __future__ import annotations

import re

# What JPEG, and nobody else, puts before a packet.
JPEG_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_NAMESPACE = re.compile(r"xmlns:([\w.-]+)\s*=\s*[\"']http://ns\.adobe\.com/tiff/1\.0/[\"']")


def stand_upright(packet: bytes) -> tuple[int | None, bytes]:
    """The orientation a packet tells (1 to 8; None: it tells none) and the packet with it set to 1.

    Nothing else changes, not even the length, so that padding and offsets stay right.
    """
    encoding = _encoding(packet)
    try:
        text = packet.decode(encoding)
    except UnicodeDecodeError:
        return None, packet
    told: list[int] = []

    def upright(match: re.Match[str]) -> str:
        told.append(int(match[2]))
        return match[1] + "1".rjust(len(match[2]), "0") + match[3]

    for prefix in set(_NAMESPACE.findall(text)) or {"tiff"}:
        name = re.escape(prefix) + ":Orientation"
        text = re.sub(rf"(\s{name}\s*=\s*[\"']\s*)(\d+)(\s*[\"'])", upright, text, flags=re.ASCII)
        text = re.sub(rf"(<{name}\b[^>]*>\s*)(\d+)(\s*</{name}\s*>)", upright, text, flags=re.ASCII)
    if not told:
        return None, packet
    return (told[0] if 1 <= told[0] <= 8 else 1), text.encode(encoding)


def _encoding(packet: bytes) -> str:
    """The encoding of a packet; Latin-1 stands for UTF-8, since it gives every byte back as it was."""
    if packet[:2] == b"\xfe\xff" or packet[:2] == b"\0<":
        return "utf-16-be"
    if packet[:2] == b"\xff\xfe" or packet[:2] == b"<\0":
        return "utf-16-le"
    return "latin-1"
