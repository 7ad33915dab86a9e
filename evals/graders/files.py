"""A file of the suite's folder that a grader reads.

Rule: inside the folder, a plain file, text, and not larger than what anyone writes by hand.
"""

from __future__ import annotations

from pathlib import Path

BYTES_MAX = 4 * 1024 * 1024


def flaw_of(folder: Path, name: str) -> str | None:
    """Why the file cannot be used, in words; None when it can."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return f"`{name}` is outside the suite's folder; put the file into it"
    if not path.is_file():
        return f"there is no file `{name}` in {folder}"
    if path.stat().st_size > BYTES_MAX:
        return f"`{name}` is larger than {BYTES_MAX // (1024 * 1024)} MB"
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return f"`{name}` is not UTF-8; save it as UTF-8"
    except OSError as error:
        return f"`{name}` cannot be read: {error.strerror or error}"
    return None


def text_of(folder: Path, name: str) -> str:
    """Raises ValueError, in words."""
    wrong = flaw_of(folder, name)
    if wrong is not None:
        raise ValueError(wrong)
    return (folder / name).read_text(encoding="utf-8")
