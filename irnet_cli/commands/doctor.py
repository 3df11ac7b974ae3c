"""``irnet doctor``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.graph_argument import load_graph
from irnet_cli.model_argument import NetworkOption, TrustOption, UntrainedOption
from irnet_cli.output import JsonOption, check_files, log, plain, write_json
from irnet_cli.policy_option import AllowOpOption, FileLimitOption, policy
from irnet_cli.runtime_option import KernelOption, RuntimeOption
from irnet_keras.errors import UsageError

if TYPE_CHECKING:
    from edge_bench.doctor import Diagnosis


def doctor(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A .tflite file or what is converted to one first; without it, only the machine "
            "is examined.",
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option("--on", help="local, ssh://[user@]host[:port] or adb[:SERIAL]."),
    ] = "local",
    runtime: RuntimeOption = "auto",
    kernel: KernelOption = "auto",
    threads: Annotated[int, typer.Option(help="Threads, 1 to 32.")] = 1,
    runs: Annotated[int, typer.Option(help="Samples per operator, at least 5.")] = 20,
    untrained: UntrainedOption = False,
    network: NetworkOption = None,
    trust: TrustOption = False,
    file_limit: FileLimitOption = None,
    allow_op: AllowOpOption = None,
    json_file: JsonOption = None,
) -> None:
    """Find out why a binary network is slower than it should be, and what to do."""
    check_files([("--json", json_file)], [("MODEL", model)] if model else [])
    chosen = policy(file_limit, allow_op)
    from edge_bench.examine import check_options, examine_machine, examine_model
    from edge_bench.targets import parse_address

    address = parse_address(on)
    check_options(runtime, threads, runs)
    for option, value in (("--runtime", runtime), ("--kernel", kernel)):
        if model is None and value != "auto":
            raise UsageError(f"{option} goes with MODEL: without one, nothing is run")
    graph = name = None
    if model is not None:
        graph, name = load_graph(model, untrained=untrained, network=network, trust=trust)
    if address.kind != "local":
        if runtime == "lce":
            raise UsageError("--runtime lce goes with --on local: elsewhere the delegate runs")
        from edge_bench.examine_target import examine_target

        result = examine_target(
            address,
            graph,
            Path(name or "").name,
            kernel=kernel,
            threads=threads,
            runs=runs,
            log=log,
        )
    elif graph is None:
        result = examine_machine(threads)
    else:
        result = examine_model(
            graph,
            Path(name or "").name,
            runtime=runtime,
            kernel=kernel,
            threads=threads,
            runs=runs,
            policy=chosen,
            log=log,
        )
    if not write_json(json_file, result.as_json()):
        _print(result)


def _print(result: "Diagnosis") -> None:
    device = result.device
    bits = "" if device.os_bits is None else f", {device.os_bits}-bit programs"
    print(f"{device.cpu_model}, {device.cores} cores, {device.machine}{bits}")
    print(f"instruction sets: {', '.join(device.cpu_features) or 'none of those that matter'}")
    if result.engine is not None and result.run_ms is not None:
        print(f"{result.model}: {result.run_ms:.3f} ms in {result.engine}")
    if not result.findings:
        print("none of the known causes found")
    for number, finding in enumerate(result.findings, start=1):
        share = "" if finding.share is None else f" ({finding.share:.0%} of the time"
        share += f", {finding.share_is})" if share else ""
        print(f"\n{number}. {finding.cause}{share}")
        print(f"   {plain(finding.evidence)}")
        print(f"   cure: {finding.cure}")
