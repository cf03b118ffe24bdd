import json

import pytest

from kerasllm.extras import require


def test_an_installed_module_is_returned():
    assert require("serving", "json") is json


def test_a_missing_package_names_the_command_that_brings_it():
    with pytest.raises(ImportError, match=r"'no_such_package'.*pip install 'kerasllm\[train\]'"):
        require("train", "no_such_package.part")
