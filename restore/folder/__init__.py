"""A folder in, a folder out: restored or degraded, resumable, nothing lost."""

from restore.folder.degrade import degrade_folder as degrade_folder
from restore.folder.degrade import degrade_picture as degrade_picture
from restore.folder.restore import restore_folder as restore_folder
from restore.folder.restore import restore_picture as restore_picture
from restore.folder.result import Event as Event
from restore.folder.result import FolderResult as FolderResult
from restore.folder.result import Outcome as Outcome
