"""Products of matrices: MatMul wherever it fits, since every quantizer and every runtime knows it best."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph import Graph, constant_of, dimensions
from .promotion import promoted
from .registry import NotLoweredError, lowers


@lowers("Matmul")
def matmul(graph: Graph, operation: Any, x1: ir.Value, x2: ir.Value) -> ir.Value:
    """x1 [..., m, k], x2 [..., k, n] -> [..., m, n]."""
    return graph.op("MatMul", *promoted(graph, x1, x2))


@lowers("Dot")
def dot(graph: Graph, operation: Any, x1: ir.Value, x2: ir.Value) -> ir.Value:
    """x1 [..., k], x2 [k] or [k, n] -> [...] or [..., n]."""
    if not dimensions(x1) or len(dimensions(x2)) not in (1, 2):
        raise NotLoweredError("a dot product that MatMul does not do")
    return graph.op("MatMul", *promoted(graph, x1, x2))


@lowers("Einsum")
def einsum(graph: Graph, operation: Any, *operands: ir.Value) -> ir.Value:
    """Operands by `subscripts`, as in numpy; with a constant second operand, as in a dense layer, a MatMul."""
    operands = tuple(promoted(graph, *operands))
    subscripts = operation.subscripts.replace(" ", "")
    if "->" not in subscripts:
        raise NotLoweredError("an equation without its result")
    subscripts = _spelled_out(subscripts, [len(dimensions(x)) for x in operands])
    if len(operands) == 2 and operands[1].const_value is not None:
        product = _dense(graph, subscripts, *operands)
        if product is not None:
            return product
    return graph.op("Einsum", *operands, equation=subscripts)


def _spelled_out(subscripts: str, ranks: list[int]) -> str:
    """The equation with letters for each ellipsis."""
    terms, result = subscripts.split("->")
    free = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in subscripts]
    widest = max(
        (rank - len(term.replace("...", "")) for term, rank in zip(terms.split(","), ranks, strict=True)), default=0
    )
    letters = "".join(free[:widest])
    spelled = []
    for term, rank in zip(terms.split(","), ranks, strict=True):
        count = rank - len(term.replace("...", ""))
        spelled.append(term.replace("...", letters[len(letters) - count :]))
    return f"{','.join(spelled)}->{result.replace('...', letters)}"


def _dense(graph: Graph, subscripts: str, x: ir.Value, kernel: ir.Value) -> ir.Value | None:
    """x [..., in...], constant kernel [in..., out...] -> [..., out...], or None where the equation is another one."""
    terms, result = subscripts.split("->")
    left, right = terms.split(",")
    summed = "".join(letter for letter in left if letter in right)
    kept, out = left.removesuffix(summed), right.removeprefix(summed)
    if not summed or kept + summed != left or summed + out != right or result != kept + out or not kept or not out:
        return None
    values = constant_of(kernel)
    sizes = values.shape
    inner, outer = int(np.prod(sizes[: len(summed)])), sizes[len(summed) :]
    if len(summed) > 1:
        x = graph.op("Reshape", x, np.array([0] * len(kept) + [inner]))
    matrix = graph.weight("kernel", values.reshape(inner, -1), kernel, "matrix") if values.ndim > 2 else kernel
    y = graph.op("MatMul", x, matrix)
    return y if len(outer) == 1 else graph.op("Reshape", y, np.array([0] * len(kept) + list(outer)))
