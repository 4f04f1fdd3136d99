"""Folders and files that nobody but their owner may read, whatever the umask says. All blocks."""

from pathlib import Path


def make_folder(folder: Path) -> None:
    """Create a folder with its missing parents."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def create_file(path: Path) -> None:
    """Create an empty file, and never use what stands there, be it a link or open to others."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
