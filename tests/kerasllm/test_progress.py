"""Progress bars are for people who look on."""

import io

import pytest
from rich.console import Console
from rich.progress import TaskProgressColumn

from kerasllm import progress


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_drawn_on_a_terminal_alone(monkeypatch, terminal):
    drawn = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=drawn, force_terminal=terminal))
    with progress.progress_bar(TaskProgressColumn()) as bar:
        task = bar.add_task("counting", total=4)
        bar.update(task, completed=2, refresh=True)
    assert bar.disable != terminal
    assert ("counting" in drawn.getvalue()) == terminal
    assert ("50%" in drawn.getvalue()) == terminal
