"""Arithmetic of tensors, element by element, with Keras's promotion of types."""

from typing import Any

import onnx_ir as ir

from ..graph import Graph, keras_dtype
from .promotion import as_dtype, cast, floating, promoted, result_dtype
from .registry import NotLoweredError, lowers

# Keras operation -> ONNX operator of the same meaning, once both operands have one type.
_BINARY = {
    "Add": "Add",
    "Subtract": "Sub",
    "Multiply": "Mul",
    "Power": "Pow",
    "Maximum": "Max",
    "Minimum": "Min",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
}
# Functions of a real number; integers are taken in float32.
_REAL = {
    "Exp": "Exp",
    "Log": "Log",
    "Sqrt": "Sqrt",
    "Sin": "Sin",
    "Cos": "Cos",
    "Tan": "Tan",
    "Sinh": "Sinh",
    "Cosh": "Cosh",
    "Tanh": "Tanh",
    "Arcsin": "Asin",
    "Arccos": "Acos",
    "Arctan": "Atan",
    "Arcsinh": "Asinh",
    "Arccosh": "Acosh",
    "Arctanh": "Atanh",
    "Erf": "Erf",
    "Isnan": "IsNaN",
}
# Functions that keep the type.
_SAME = {"Absolute": "Abs", "Abs": "Abs", "Negative": "Neg", "Sign": "Sign"}


@lowers(*_BINARY)
def binary(graph: Graph, operation: Any, x1: Any, x2: Any) -> ir.Value:
    """x1 [...], x2 [...] broadcast -> [...]."""
    x1, x2 = promoted(graph, x1, x2)
    if keras_dtype(x1) == "bool":
        raise NotLoweredError("arithmetic of two booleans")
    return graph.op(_BINARY[type(operation).__name__], x1, x2)


@lowers("Equal", "NotEqual")
def equal(graph: Graph, operation: Any, x1: Any, x2: Any) -> ir.Value:
    """x1 [...], x2 [...] broadcast -> bool [...]."""
    same = graph.op("Equal", *promoted(graph, x1, x2))
    return graph.op("Not", same) if type(operation).__name__ == "NotEqual" else same


@lowers("LogicalAnd", "LogicalOr", "LogicalXor")
def logical(graph: Graph, operation: Any, x1: Any, x2: Any) -> ir.Value:
    """x1 [...], x2 [...] broadcast, anything not 0 is true -> bool [...]."""
    operator = type(operation).__name__.removeprefix("Logical")
    return graph.op(operator, as_dtype(graph, x1, "bool"), as_dtype(graph, x2, "bool"))


@lowers("LogicalNot")
def logical_not(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> bool [...]."""
    return graph.op("Not", cast(graph, x, "bool"))


@lowers("Divide", "TrueDivide", "DivideNoNan")
def divide(graph: Graph, operation: Any, x1: Any, x2: Any) -> ir.Value:
    """x1 / x2 in real numbers, whatever the operands are; DivideNoNan gives 0 for a division by 0."""
    dtype = result_dtype(x1, x2, 1.0)
    x1, x2 = as_dtype(graph, x1, dtype), as_dtype(graph, x2, dtype)
    quotient = graph.op("Div", x1, x2)
    if type(operation).__name__ != "DivideNoNan":
        return quotient
    zero = graph.constant(0, dtype)
    return graph.op("Where", graph.op("Equal", x2, zero), zero, quotient)


@lowers("FloorDivide")
def floor_divide(graph: Graph, operation: Any, x1: Any, x2: Any) -> ir.Value:
    """x1 // x2, rounded down, while ONNX rounds integers towards 0: the remainder is taken away first."""
    x1, x2 = promoted(graph, x1, x2)
    if keras_dtype(x1).startswith("float"):
        return graph.op("Floor", graph.op("Div", x1, x2))
    return graph.op("Div", graph.op("Sub", x1, graph.op("Mod", x1, x2)), x2)


@lowers("Mod")
def mod(graph: Graph, operation: Any, x1: Any, x2: Any) -> ir.Value:
    """x1 % x2 with the sign of x2, which ONNX gives integers but not real numbers."""
    x1, x2 = promoted(graph, x1, x2)
    dtype = keras_dtype(x1)
    if not dtype.startswith("float"):
        return graph.op("Mod", x1, x2)
    rest, zero = graph.op("Mod", x1, x2, fmod=1), graph.constant(0, dtype)
    other_sign = graph.op("Xor", graph.op("Less", rest, zero), graph.op("Less", x2, zero))
    wrong = graph.op("And", other_sign, graph.op("Not", graph.op("Equal", rest, zero)))
    return graph.op("Where", wrong, graph.op("Add", rest, x2), rest)


@lowers("Where")
def where(graph: Graph, operation: Any, condition: ir.Value, x1: Any = None, x2: Any = None) -> ir.Value:
    """condition [...] anything, x1 [...], x2 [...] broadcast -> [...]."""
    if x1 is None or x2 is None:
        raise NotLoweredError("the indices of what is true: their number is not known")
    condition, (x1, x2) = as_dtype(graph, condition, "bool"), promoted(graph, x1, x2)
    if keras_dtype(x1) != "bool":
        return graph.op("Where", condition, x1, x2)
    # onnxruntime has no Where of booleans.
    return graph.op("Or", graph.op("And", condition, x1), graph.op("And", graph.op("Not", condition), x2))


@lowers("Clip")
def clip(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> [...] in x_min to x_max, of x's type."""
    limits = (operation.x_min, operation.x_max)
    if not all(isinstance(limit, int | float) for limit in limits) or keras_dtype(x) == "bool":
        raise NotLoweredError("limits that are not two numbers")
    return graph.op("Clip", x, *(graph.constant(limit, keras_dtype(x)) for limit in limits))


@lowers(*_REAL)
def real_function(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> [...]."""
    return graph.op(_REAL[type(operation).__name__], floating(graph, x))


@lowers(*_SAME)
def same_type(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> [...] of x's type."""
    if keras_dtype(x) in ("bool", "uint8", "uint16", "uint32", "uint64"):
        raise NotLoweredError("signs of what has none")
    return graph.op(_SAME[type(operation).__name__], x)


@lowers("Floor", "Ceil", "Round")
def rounded(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> [...], halves to even."""
    if not keras_dtype(x).startswith("float") or getattr(operation, "decimals", None):
        raise NotLoweredError("rounding of integers, or to decimals")
    return graph.op(type(operation).__name__, x)


@lowers("Square")
def square(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> x * x."""
    x = cast(graph, x, "int32") if keras_dtype(x) == "bool" else x
    return graph.op("Mul", x, x)


@lowers("Rsqrt")
def rsqrt(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> 1 / sqrt(x)."""
    return graph.op("Reciprocal", graph.op("Sqrt", floating(graph, x)))


@lowers("Reciprocal")
def reciprocal(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> 1 / x."""
    return graph.op("Reciprocal", floating(graph, x))


@lowers("Log1p", "Expm1", "Erfc")
def shifted_by_one(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """log(1 + x), exp(x) - 1 and 1 - erf(x): exact to the rounding of 1, not to that of a tiny x."""
    x = floating(graph, x)
    one = graph.constant(1, keras_dtype(x))
    match type(operation).__name__:
        case "Log1p":
            return graph.op("Log", graph.op("Add", x, one))
        case "Expm1":
            return graph.op("Sub", graph.op("Exp", x), one)
    return graph.op("Sub", one, graph.op("Erf", x))


@lowers("Log2", "Log10")
def logarithm(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> its logarithm to base 2 or 10."""
    x = floating(graph, x)
    scale = {"Log2": 1.4426950408889634, "Log10": 0.4342944819032518}[type(operation).__name__]
    return graph.op("Mul", graph.op("Log", x), graph.constant(scale, keras_dtype(x)))


@lowers("Isinf", "Isfinite")
def infinite(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> bool [...]."""
    x = floating(graph, x)
    infinity = graph.op("IsInf", x)
    if type(operation).__name__ == "Isinf":
        return infinity
    return graph.op("Not", graph.op("Or", infinity, graph.op("IsNaN", x)))


@lowers("Cast")
def change_type(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> [...] of the operation's type; real numbers are cut towards 0, as in Keras."""
    return cast(graph, x, operation.dtype)


@lowers("ConvertToTensor")
def convert_to_tensor(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] as it is, or of the operation's type."""
    return x if operation.dtype is None else cast(graph, x, operation.dtype)


@lowers("StopGradient", "Copy")
def unchanged(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> x."""
    return x
