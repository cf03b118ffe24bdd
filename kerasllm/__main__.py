"""`python -m kerasllm` is `kerasllm`."""

from .cli import main

main()
