"""Progress bars: on stderr, gone when the work is done, and only where a person looks on."""

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from .console import console


def progress_bar(*columns: ProgressColumn) -> Progress:
    """A bar between a task's name and the time that is left.

    Args:
        columns: What stands after the bar.
    """
    shown = (TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn())
    return Progress(*shown, console=console, transient=True, disable=not console.is_terminal)
