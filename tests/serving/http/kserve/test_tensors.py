"""Tensors as bytes are Triton's: its own functions are the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from kerasllm.serving.http.kserve.tensors import DTYPES, Tensor, read_bytes, read_list, strings, write_bytes, write_list


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=10))
def test_strings_are_written_and_read_as_triton_does(texts):
    tensor = strings("text", texts)
    encoded = write_bytes(tensor)
    assert deserialize_bytes_tensor(encoded).tolist() == tensor.values.tolist()
    theirs = serialize_byte_tensor(tensor.values).item()
    assert read_bytes("text", "BYTES", [len(texts)], memoryview(theirs)).values.tolist() == tensor.values.tolist()
    assert write_list(tensor) == texts


@pytest.mark.parametrize("datatype", sorted(DTYPES.keys() - {"BYTES"}))
def test_numbers_keep_their_values_both_ways(datatype):
    values = np.array([[0, 1, 1], [1, 0, 1]]).astype(DTYPES[datatype])
    tensor = Tensor(name="x", datatype=datatype, values=values)
    as_bytes = read_bytes("x", datatype, [2, 3], memoryview(write_bytes(tensor)))
    as_list = read_list("x", datatype, [2, 3], write_list(tensor))
    for each in (as_bytes, as_list):
        np.testing.assert_array_equal(each.values, values)
        assert each.values.dtype == values.dtype


@given(st.binary(max_size=60), st.integers(1, 5))
def test_any_bytes_are_strings_or_refused(data, count):
    try:
        read = read_bytes("text", "BYTES", [count], memoryview(data))
    except ValueError:
        return
    assert write_bytes(read) == data


@pytest.mark.parametrize(
    ("datatype", "data"), [("INT64", [True]), ("INT64", [1.0]), ("INT64", [2**63]), ("UINT8", [-1]), ("BOOL", [1])]
)
def test_values_of_another_type_are_refused(datatype, data):
    with pytest.raises(ValueError, match=f"must be {datatype}"):
        read_list("x", datatype, [1], data)


def test_what_json_has_no_number_for_is_refused_there():
    tensor = Tensor(name="x", datatype="FP32", values=np.array([np.nan], np.float32))
    with pytest.raises(ValueError, match="as binary data"):
        write_list(tensor)
    assert np.isnan(read_bytes("x", "FP32", [1], memoryview(write_bytes(tensor))).values[0])
