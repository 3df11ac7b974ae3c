"""Print a command of the README, so that CI and tests run exactly what users are told to run.

    python tools/readme_command.py main|test

The commands are the two code blocks right after ``<!-- command: main -->`` and
``<!-- command: test -->``.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def readme_command(name: str) -> str:
    """The code block that follows the marker ``name``."""
    pattern = rf"<!-- command: {re.escape(name)} -->\s*```\w*\n(.*?)\n```"
    found = re.findall(pattern, README.read_text(), re.DOTALL)
    if len(found) != 1:
        raise SystemExit(f"README.md: {len(found)} blocks follow the marker {name!r}, expected 1")
    return str(found[0])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tools/readme_command.py main|test")
    print(readme_command(sys.argv[1]))
