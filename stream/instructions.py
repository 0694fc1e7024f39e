"""What a processor can do and numba has no name for: single instructions, for compiled loops.

None of them asks whether a place is within its array.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_BYTE, _INT, _LONG = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_TO_READ, _FOR_ALL_CACHES, _DATA = ir.Constant(_INT, 0), ir.Constant(_INT, 3), ir.Constant(_INT, 1)


@intrinsic  # type: ignore[untyped-decorator]
def bits_of(_typing: Any, _number: Any) -> Any:
    """Of a float: its bits as a whole number."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _LONG)

    return types.int64(types.float64), generate


@intrinsic  # type: ignore[untyped-decorator]
def float_of(_typing: Any, _bits: Any) -> Any:
    """Of a whole number: the float that has these bits."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def zeros_below(_typing: Any, _word: Any) -> Any:
    """Of a whole number without a sign: how many of its lowest bits are 0, up to the first that is not."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def eight_bytes(_typing: Any, data: Any, _at: Any) -> Any:
    """The bytes of an array from a place on as one number, the first in its lowest bits; eight have to be there."""
    if not _lies_in_one_piece(data) or data.dtype != types.uint8:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature, arguments)
        return builder.load(builder.bitcast(place, _LONG.as_pointer()), align=1)

    return types.uint64(data, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_typing: Any, array: Any, _at: Any) -> Any:
    """The item at a place of an array will be read soon: let it be on its way from memory meanwhile."""
    if not _lies_in_one_piece(array):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.bitcast(_place(context, builder, signature, arguments), _BYTE.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, _INT, _INT, _INT])
        asked = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(asked, [place, _TO_READ, _FOR_ALL_CACHES, _DATA])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def _lies_in_one_piece(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Where an item of an array lies."""
    array, at = arguments
    return builder.gep(context.make_array(signature.args[0])(context, builder, array).data, [at])
