"""The version, in a file that imports nothing: also documents say what they were made with."""

from __future__ import annotations

__version__ = "0.1.0"
