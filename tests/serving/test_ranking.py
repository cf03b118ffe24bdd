"""The largest values are those of a full, stable sort."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving.ranking import largest


@settings(deadline=None, max_examples=200, derandomize=True)
@given(values=st.lists(st.integers(-4, 4), max_size=30), count=st.integers(1, 40))
def test_largest_first_and_of_equal_ones_the_earlier(values, count):
    expected = sorted(range(len(values)), key=lambda place: (-values[place], place))[:count]
    assert largest(np.array(values, np.float32), count).tolist() == expected
