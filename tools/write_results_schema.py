"""Write the JSON Schema of ``irnet bench`` results to ``docs/reference/results.schema.json``."""

import json
from pathlib import Path

from edge_bench.schema import json_schema

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "results.schema.json"


def main() -> None:
    """Replace the published schema."""
    TARGET.write_text(json.dumps(json_schema(), indent=1) + "\n")
    print(TARGET)


if __name__ == "__main__":
    main()
