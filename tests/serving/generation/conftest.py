"""One tiny decoder, served, for all tests that only read it."""

import pytest

from kerasllm.serving import load

from .tiny_decoder import Sizes, make_weights, write_decoder

SIZES = Sizes()


@pytest.fixture(scope="session")
def weights():
    return make_weights(SIZES)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory, weights):
    return write_decoder(tmp_path_factory.mktemp("decoder") / "bundle", weights, SIZES)


@pytest.fixture(scope="session")
def generator(bundle):
    return load(bundle, threads=1)
