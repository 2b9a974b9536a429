"""Classifiers out of ONNX files: a graph of known operators and its tensors, and nothing that acts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.errors import UsageError, WeightsError
from restore.files.bounded import read_regular
from restore.models.weights import first_line

MOST_BYTES = 2_000_000_000  # what one message of protobuf may be
# All that such graphs may hold while they compute.
_MOST_MEMORY = 1 << 30
# An answer for one picture: longer than the largest published classifier takes on one slow core.
_MOST_SECONDS = 30.0
_MOST_NODES = 200_000
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
# What repeats a graph as often as a number says.
_REPEATING = ("Loop", "Scan", "SequenceMap")


class OnnxClassifier(nn.Module):
    """Logits ``B x classes`` of pictures ``B x C x H x W`` by ONNX Runtime; without gradients.

    Attributes:
        side, channels: what the graph's input says; None: any.
    """

    def __init__(self, session: Any, path: Path) -> None:
        super().__init__()
        self._session, self._path = [session], path
        (self._input,) = session.get_inputs()
        batch, channels, height, width = (n if isinstance(n, int) else None for n in self._input.shape)
        self.channels = channels
        self.side = height if height == width else None
        self._batch = batch

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            raise UsageError(
                f"{self._path} is computed by ONNX Runtime, which has no gradients",
                hint="attacks need TorchScript (.pt) or module:function",
            )
        parts = x.split(self._batch) if self._batch else (x,)
        return torch.cat([self._compute(part) for part in parts]).to(x.device)

    def _compute(self, x: Tensor) -> Tensor:
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        timer = threading.Timer(_MOST_SECONDS * len(x), lambda: setattr(options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            (y,) = self._session[0].run(None, {self._input.name: x.cpu().float().numpy()}, options)
        except Exception as error:  # one of the runtime's many
            if len(x) > 1 and not self._batch:
                half = len(x) // 2
                return torch.cat([self._compute(x[:half]), self._compute(x[half:])])
            raise WeightsError(
                f"{self._path} does not take pictures of {tuple(x.shape)}: {first_line(error)}",
                hint=f"it may hold {_MOST_MEMORY >> 30} GiB and take {_MOST_SECONDS:.0f} s",
            ) from None
        finally:
            timer.cancel()
        logits = torch.from_numpy(y)
        if logits.ndim != 2 or len(logits) != len(x):
            raise WeightsError(
                f"{self._path}: expected logits (pictures x classes), got {tuple(logits.shape)}"
            )
        return logits.float()


def load_onnx(path: Path) -> OnnxClassifier:
    """The classifier in an ONNX file: one input of pictures in [0, 1], one output of logits.

    Raises:
        UsageError: ONNX Runtime is not installed.
        WeightsError: damaged, operators of somebody's own, tensors outside the file, or loops.
    """
    data = read_regular(path, most=MOST_BYTES, error=WeightsError, what="the classifier")
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "classifiers in ONNX need onnxruntime and onnx", hint="pip install 'restore-kit[onnxruntime]'"
        ) from error
    try:
        model = onnx.load_model_from_string(data)
        _look_over(model)
        _limit_memory()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
            raise ValueError("expected one input and one output")
        if len(session.get_inputs()[0].shape) != 4:
            raise ValueError(f"expected pictures of 4 dimensions, it takes {session.get_inputs()[0].shape}")
    except Exception as error:  # protobuf's, the runtime's, and ours
        raise WeightsError(
            f"{path} is refused: {first_line(error)}",
            hint="expected a plain ONNX graph, with its weights inside",
        ) from None
    return OnnxClassifier(session, path)


def _look_over(model: Any) -> None:
    """Raises ValueError where a graph does more than compute from its own tensors."""
    foreign = {o.domain for o in model.opset_import} - set(_DOMAINS)
    if foreign or model.functions:
        raise ValueError(f"it has operators of its own ({', '.join(sorted(foreign))[:80] or 'functions'})")
    for count, message in enumerate(_messages(model.graph)):
        kind = message.DESCRIPTOR.name
        if count > 10 * _MOST_NODES:
            raise ValueError("it has too many nodes")
        if kind == "TensorProto" and (message.external_data or message.data_location):
            raise ValueError(f"its tensor {message.name[:60]!r} lies in another file")
        if kind == "NodeProto" and (message.op_type in _REPEATING or message.domain not in _DOMAINS):
            raise ValueError(f"it has an operator {message.domain[:40]}.{message.op_type[:40]}")


def _messages(message: Any) -> Iterator[Any]:
    """A message and all inside it, at any depth."""
    left = [message]
    while left:
        found = left.pop()
        yield found
        for field, value in found.ListFields():
            if field.type == field.TYPE_MESSAGE:
                left.extend(value if hasattr(value, "__len__") else [value])


@cache
def _limit_memory() -> None:
    """Registers the allocator that sessions of classifiers share, once in a process."""
    import onnxruntime as ort

    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    arena = {
        "max_mem": _MOST_MEMORY,
        "arena_extend_strategy": 1,  # no more than asked for
        "initial_chunk_size_bytes": -1,
        "max_dead_bytes_per_chunk": -1,
    }
    ort.create_and_register_allocator(info, ort.OrtArenaCfg(arena))
