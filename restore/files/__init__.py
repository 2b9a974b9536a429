"""Pictures in files: read whole or refused, written like they came, atomically."""

from restore.files.alpha import fill_under_alpha, put_back
from restore.files.atomic import atomic_file, atomic_write, write_file
from restore.files.carry import left_out
from restore.files.decode import picture_size, read_picture
from restore.files.encode import write_picture
from restore.files.formats import FORMATS, format_named, format_of
from restore.files.kinds import FOREIGN, kind_of
from restore.files.listing import Listing, find_pictures, list_files
from restore.files.picture import Picture

__all__ = [
    "FOREIGN",
    "FORMATS",
    "Listing",
    "Picture",
    "atomic_file",
    "atomic_write",
    "fill_under_alpha",
    "find_pictures",
    "format_named",
    "format_of",
    "kind_of",
    "left_out",
    "list_files",
    "picture_size",
    "put_back",
    "read_picture",
    "write_file",
    "write_picture",
]
