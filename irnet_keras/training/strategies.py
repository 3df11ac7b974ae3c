"""Training on several devices: ``tf.distribute`` behind one small class.

A batch of the recipe is the batch of all replicas together. Every worker reads its own rows of it,
in the order of the workers in ``TF_CONFIG``, so that N processes train on what one would.
"""

import json
import os
import signal
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.errors import UsageError, first_line
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.rendezvous import meet
from irnet_keras.training.task import Feed, TaskData

STRATEGIES = ("auto", "none", "mirrored", "multiworker", "tpu")
EXAMPLE = (
    """TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, """
    """"task": {"type": "worker", "index": 0}}'"""
)
# A worker that says nothing for so long is dead; its peers end within about this time.
HEARTBEAT_SECONDS = 20
# So long the first worker waits for the last one to start.
START_SECONDS = 300
_TPU_VARIABLES = ("TPU_NAME", "COLAB_TPU_ADDR", "TPU_WORKER_HOSTNAMES")
_TPU_FILES = ("/dev/accel0", "/dev/vfio/0")


@dataclass(frozen=True)
class Devices:
    """What a training runs on.

    Attributes:
        strategy: None for one device.
        name: of ``STRATEGIES``.
        worker: this process among ``workers``, 0-based; worker 0 writes the run folder.
        workers: processes.
    """

    strategy: Any = None
    name: str = "none"
    worker: int = 0
    workers: int = 1

    @property
    def replicas(self) -> int:
        """Copies of the network that share a batch."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files."""
        return self.worker == 0

    def scope(self) -> Any:
        """Where model and optimizer are made."""
        return self.strategy.scope() if self.strategy else tf.distribute.get_strategy().scope()

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch that does not divide evenly.

        Raises:
            UsageError: naming batch and replicas.
        """
        if batch_size % self.replicas:
            raise UsageError(
                f"batch_size must be a multiple of the {self.replicas} replicas of --strategy "
                f"{self.name}, got {batch_size}"
            )

    def training(self, data: TaskData, config: TrainConfig, epoch: int, step: int) -> Any:
        """What ``fit`` reads, from a step of an epoch on."""
        own = data.training(config, Feed(epoch, step, self.worker, self.workers))
        local = self.replicas // self.workers
        return self._distribute(own, 0, local) if self.strategy else own

    def validation(self, data: TaskData) -> dict[str, Any]:
        """Arguments of ``fit``: every batch of the split is cut into one part for each replica.

        If the last batch has fewer images than there are replicas, some of them count twice.
        """
        whole = data.validation()
        if whole is None or self.strategy is None:
            return {"validation_data": whole}
        local = self.replicas // self.workers
        return {
            "validation_data": self._distribute(whole.repeat(), self.worker * local, self.replicas),
            "validation_steps": int(whole.cardinality().numpy()),
        }

    def _distribute(self, dataset: Any, first: int, count: int) -> Any:
        """Of ``count`` equal parts of every element, give this worker's replicas ``first`` and on.

        No part is empty: convolutions of oneDNN return wrong shapes for no images.
        """
        local = self.replicas // self.workers

        def parts(*element: Any) -> Any:
            rows = tf.shape(tf.nest.flatten(element)[0])[0]

            def part(i: Any) -> Any:
                begin, end = i * rows // count, (i + 1) * rows // count
                cut = slice(begin, tf.maximum(end, begin + 1))
                return tf.nest.map_structure(lambda x: x[cut], element)

            return tf.data.Dataset.range(first, first + local, output_type=tf.int32).map(part)

        per_replica = dataset.flat_map(parts)
        return self.strategy.distribute_datasets_from_function(lambda context: per_replica)

    def _sum(self, shape: tuple[int, ...]) -> Callable[[Any], Any]:
        """A function that all workers call together: the sum of what they pass in, float64."""
        strategy, local = self.strategy, self.replicas // self.workers

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float64)])  # type: ignore[untyped-decorator]
        def total(value: Any) -> Any:
            def one(part: Any) -> Any:
                context = tf.distribute.get_replica_context()
                return context.all_reduce(tf.distribute.ReduceOp.SUM, part / local)

            return strategy.experimental_local_results(strategy.run(one, (value,)))[0]

        return lambda value: total(tf.constant(value, tf.float64)).numpy()

    def agreement(self) -> Callable[[bool], bool]:
        """A function that all workers call together: whether any of them passed in True."""
        if self.workers == 1:
            return lambda wish: wish
        total = self._sum(())
        return lambda wish: bool(total(float(wish)) > 0)

    def check_same(self, **values: object) -> None:
        """Refuse workers that were started differently or see another run folder.

        Raises:
            UsageError: naming what differs, on every worker.
        """
        if self.workers == 1:
            return
        own = np.zeros((self.workers, len(values)))
        own[self.worker] = [zlib.crc32(repr(v).encode()) for v in values.values()]
        everyone = self._sum(own.shape)(own)
        for key, column in zip(values, everyone.T, strict=True):
            if len(set(column)) > 1:
                raise UsageError(
                    f"the workers differ in {key} (worker {self.worker} has {values[key]}); start "
                    "all of them with the same arguments and a --run-dir that all of them see"
                )


ONE_DEVICE = Devices()


def choose_devices(name: str) -> Devices:
    """Start a strategy; must come before anything else of TensorFlow's runtime for multiworker.

    Args:
        name: of ``STRATEGIES``. ``auto``: multiworker if ``TF_CONFIG`` names several workers,
            else tpu where there is one, else mirrored with two GPUs or more, else none.

    Raises:
        UsageError: unknown name, or no devices for it.
    """
    if name not in STRATEGIES:
        raise UsageError(f"--strategy must be one of {', '.join(STRATEGIES)}, got {name!r}")
    if name == "auto":
        name = _automatic()
    if name == "multiworker":
        return _multiworker()
    if name == "tpu":
        return _tpu()
    tf.config.list_logical_devices()  # starts the runtime, with its greetings
    return _mirrored() if name == "mirrored" else ONE_DEVICE


def _automatic() -> str:
    cluster = os.environ.get("TF_CONFIG")
    if cluster and len(_workers(cluster)[0]) > 1:
        return "multiworker"
    if _has_tpu():
        return "tpu"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "none"


def _mirrored() -> Devices:
    if os.environ.get("TF_CONFIG"):
        raise UsageError(
            "--strategy mirrored is for one machine, but TF_CONFIG is set; unset it or use "
            "--strategy multiworker"
        )
    os.environ.pop("TF_CONFIG", None)  # TensorFlow cannot read an empty one
    gpus, cpus = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    chosen = gpus or cpus
    if not gpus and len(cpus) < 2:
        raise UsageError(
            "--strategy mirrored found no GPU and one CPU device; it needs a GPU or several "
            "logical CPU devices (use --strategy none)"
        )
    return Devices(tf.distribute.MirroredStrategy([d.name for d in chosen]), "mirrored")


def _has_tpu() -> bool:
    return any(os.environ.get(v) for v in _TPU_VARIABLES) or any(
        Path(f).exists() for f in _TPU_FILES
    )


def _tpu() -> Devices:
    looked_for = f"the variables {', '.join(_TPU_VARIABLES)} and the files {', '.join(_TPU_FILES)}"
    if not _has_tpu():
        raise UsageError(f"--strategy tpu found no TPU; looked for {looked_for}")
    address = os.environ.get("TPU_NAME") or os.environ.get("COLAB_TPU_ADDR") or "local"
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        strategy = tf.distribute.TPUStrategy(resolver)
    except Exception as error:
        raise UsageError(f"--strategy tpu: {address!r} is no TPU ({first_line(error)})") from error
    return Devices(strategy, "tpu")


def _multiworker() -> Devices:
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise UsageError(f"--strategy multiworker needs TF_CONFIG, for example {EXAMPLE}")
    addresses, worker = _workers(text)
    meet(addresses, worker, START_SECONDS)
    _shorten_timeouts(text)
    # TensorFlow waits for ever for a worker that dies in these seconds, deaf to every signal but
    # those that it leaves to the system.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(START_SECONDS)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, tf.errors.OpError) as error:
        raise UsageError(
            f"--strategy multiworker could not start as worker {worker} of {', '.join(addresses)}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    finally:
        signal.alarm(0)
    return Devices(strategy, "multiworker", worker, len(addresses))


def _workers(text: str) -> tuple[list[str], int]:
    """Addresses of all workers and this one's number, from ``TF_CONFIG``.

    Raises:
        UsageError: naming what is wrong, with an example.
    """
    try:
        values = json.loads(text)
        cluster, task = values["cluster"], values["task"]
        chief, workers = cluster.get("chief", []), cluster.get("worker", [])
        index, kind = int(task["index"]), task["type"]
        offset = {"chief": 0, "worker": len(chief)}[kind]
        if not 0 <= index < len({"chief": chief, "worker": workers}[kind]):
            raise ValueError(f"no {kind} {index}")
        if set(cluster) - {"chief", "worker"}:
            raise ValueError(f"only chief and worker take part, got {', '.join(cluster)}")
        addresses = [str(a) for a in [*chief, *workers]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"TF_CONFIG does not describe a cluster ({error}), got {text!r}; example: {EXAMPLE}"
        ) from error
    return addresses, offset + index


def _shorten_timeouts(text: str) -> None:
    """Make a dead worker known within seconds; TensorFlow has no public setting for this."""
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
    from tensorflow.python.eager import context

    cluster = json.loads(text)["cluster"]
    leader = "chief" if cluster.get("chief") else "worker"
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{leader}/replica:0/task:0",
        cluster_register_timeout_in_ms=START_SECONDS * 1000,
        heartbeat_timeout_in_ms=HEARTBEAT_SECONDS * 1000,
        shutdown_barrier_timeout_in_ms=5000,  # after an error nobody comes
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(name=job, num_tasks=len(tasks))
            for job, tasks in cluster.items()
        ],
    )
