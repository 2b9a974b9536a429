"""``python -m restore``: the command, where it is not on the path."""

from restore.tools.main import main

main()
