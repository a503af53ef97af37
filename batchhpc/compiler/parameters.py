"""The words of a command that stand for a job's parameters (R46)."""

from __future__ import annotations

import re
from typing import Final

REF: Final = re.compile(r"Ref::([A-Za-z0-9_.-]+)")
