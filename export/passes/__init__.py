"""Clean-ups of a lowered graph: one a file, each with its rules by number; what onnx-ir has is used from there."""

import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer

from .axes import infer_shapes
from .boundary import pull_integers
from .broadcasting import drop_expansions
from .inverses import cancel_inverses
from .products import find_products
from .residuals import sum_residuals
from .transposition import transpose_ids

__all__ = ["optimise"]


def optimise(model: ir.Model) -> ir.Model:
    """Makes a lowered graph shorter without changing what it computes.

    Shape arithmetic on constants is folded, integers go in as they come, transposes go where they move least, nodes
    that undo each other go, equal nodes and equal weights are merged, and what nobody reads is dropped. MatMul and
    Add stay two nodes, since that is what quantizers know. At the end, every value has its shape, with axes named as
    those of the inputs.

    Args:
        model: A lowered model; it is left as it is.

    Returns:
        The shorter model, with the same inputs, outputs and values.
    """
    model = model.clone()
    names = [value.name for value in model.graph.outputs]
    optimizer.fold_constants(model)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    common.IdentityEliminationPass()(model)
    for rewrite in (pull_integers, transpose_ids, cancel_inverses, drop_expansions, find_products, sum_residuals):
        rewrite(model.graph)
        common.IdentityEliminationPass()(model)
    common.DeduplicateInitializersPass()(model)
    common.CommonSubexpressionEliminationPass()(model)
    common.RemoveUnusedNodesPass()(model)
    common.TopologicalSortPass()(model)
    common.OutputFixPass()(model)  # two outputs may have become one value
    for value, name in zip(model.graph.outputs, names, strict=True):
        value.name = name
    infer_shapes(model)
    return model
