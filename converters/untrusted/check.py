"""The check of a whole file."""

import os
import struct
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from converters.graph import Graph, read_graph
from converters.untrusted.allow_list import rule_of
from converters.untrusted.node import Node, State
from converters.untrusted.policy import (
    DEFAULT_POLICY,
    Policy,
    RefusedFileError,
    Spending,
    check_allowed,
    in_file,
)
from converters.untrusted.tensors import check_tensors


def read_untrusted(
    source: str | os.PathLike[str] | bytes, policy: Policy = DEFAULT_POLICY
) -> Graph:
    """Read a file that will be given to an interpreter.

    Args:
        source: path or content.
        policy: limits, and operators accepted without a rule.

    Returns:
        The graph; every declared shape is the one that the kernels will compute.

    Raises:
        UsageError: unreadable, or no well-formed ``.tflite`` file.
        RefusedFileError: well-formed, but not to be run.
    """
    graph = read_graph(source)
    try:
        check_graph(graph, policy)
    except RefusedFileError as error:
        if isinstance(source, bytes):
            raise
        raise in_file(os.fspath(source), error) from error
    return graph


def check_graph(graph: Graph, policy: Policy = DEFAULT_POLICY) -> Spending:
    """Check a graph that :func:`converters.graph.read_graph` has read.

    Returns:
        What it takes.

    Raises:
        RefusedFileError: why it must not be run.
    """
    spending = Spending(policy)
    spending.file(graph)
    model = schema.Model.GetRootAs(graph.data, 0)
    subgraph = model.Subgraphs(0)
    check_names(model, len(graph.tensors))
    for op in graph.ops:
        check_allowed(policy, op, rule_of(op.name, op.is_custom) is not None)
    unknown = check_tensors(graph, subgraph, model.Buffers, spending)
    state = State(list(graph.tensors), unknown, {}, spending)
    for op in graph.ops:
        rule = rule_of(op.name, op.is_custom)
        if rule is None:
            continue
        node = Node(op, subgraph.Operators(op.index), state)
        try:
            rule(node)
        except (struct.error, IndexError) as error:  # options cut off by the end of the file
            raise node.fail("has unreadable options") from error
    return spending


def check_names(model: Any, num_tensors: int) -> None:
    """Signatures and metadata have names and point at what exists.

    Raises:
        RefusedFileError: one does not.
    """
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() is None or entry.Buffer() >= model.BuffersLength():
            raise RefusedFileError(f"refused .tflite file: metadata {i} has no name or no buffer")
    for i in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(i)
        maps = [signature.Inputs(j) for j in range(signature.InputsLength())]
        maps += [signature.Outputs(j) for j in range(signature.OutputsLength())]
        named = all(m.Name() is not None and m.TensorIndex() < num_tensors for m in maps)
        if not named or signature.SignatureKey() is None or signature.SubgraphIndex() != 0:
            raise RefusedFileError(f"refused .tflite file: signature {i} names what is not there")
