"""``irnet models``."""

from irnet_cli.output import JsonOption, check_files, write_json
from irnet_keras.models import MODELS, ModelEntry


def models(json_file: JsonOption = None) -> None:
    """List the networks that can be loaded by name."""
    check_files([("--json", json_file)])
    rows = [
        {
            "name": name,
            "network": entry.network,
            "precision": entry.precision,
            "dataset": entry.dataset,
            "structure": entry.structure,
            "weights": entry.weights,
            "sha256": entry.sha256,
            "test_accuracy": entry.test_accuracy,
            "test_psnr": entry.test_psnr,
            "bicubic_psnr": entry.bicubic_psnr,
        }
        for name, entry in MODELS.items()
    ]
    if write_json(json_file, rows):
        return
    from rich.console import Console
    from rich.table import Column, Table

    name = Column("name", no_wrap=True)
    table = Table(name, "precision", "data set", "weights", "test score")
    for row, entry in zip(rows, MODELS.values(), strict=True):
        table.add_row(
            str(row["name"]),
            str(row["precision"]),
            str(row["dataset"]),
            "shipped" if row["weights"] else "none",
            _score(entry),
        )
    Console().print(table)


def _score(entry: ModelEntry) -> str:
    """Of the shipped weights on the test images."""
    if entry.test_accuracy is not None:
        return f"{100 * entry.test_accuracy:.2f} %"
    if entry.test_psnr is not None:
        return f"{entry.test_psnr:.2f} dB (bicubic {entry.bicubic_psnr:.2f})"
    return ""
