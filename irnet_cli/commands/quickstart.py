"""``irnet quickstart``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from irnet_cli.output import JsonOption, check_files, import_tensorflow, log, write_json
from irnet_keras.files import make_folder


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for models, results and report.")] = Path(
        "quickstart"
    ),
    train_seconds: Annotated[
        float | None,
        typer.Option(help="Train from scratch for so long instead of using shipped weights."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS data folder, for --train-seconds.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """See the whole way offline: float32, int8 and 1-bit, verified, scored and benchmarked."""
    check_files([("--json", json_file)])
    make_folder(out)
    log("starting TensorFlow ...")
    import_tensorflow()
    from irnet_cli.quickstart import quickstart as run

    result = run(out, train_seconds=train_seconds, data_dir=data_dir, log=log)
    if write_json(json_file, result):
        return
    _print_table(result)
    print(f"results: {out / 'results.json'}")
    print(f"report:  {out / 'report.html'}")


def _print_table(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("build", "accuracy", "size", "median", "p90", "peak memory", "verified")
    for build in result["bench"]["builds"]:
        verified = result["verify"].get(build["name"])
        memory = build["peak_memory_bytes"]
        table.add_row(
            build["name"],
            f"{100 * build['accuracy']:.1f} %",
            f"{build['size_bytes'] / 1e3:.0f} kB",
            f"{build['median_ms']:.2f} ms",
            f"{build['p90_ms']:.2f} ms",
            "unknown" if memory is None else f"{memory / 1e6:.1f} MB",
            "oracle" if verified is None else "yes" if verified["passed"] else "NO",
        )
    console = Console()
    console.print(table)
    oracle = result["verify"]["1-bit"].get("oracle")
    if oracle and oracle["engine"]:
        print(
            f"1-bit against {oracle['engine']}: {oracle['values_compared']:,} values compared, "
            f"{oracle['values_differing']:,} differ"
        )
    for build in result["bench"]["builds"]:
        print(f"{build['name']}: {build['engine']}")
    examples = result["bench"]["builds"][0]["num_examples"]
    console.print(f"accuracy on {examples} real CIFAR-10 test images; {result['weights']}")
