"""What people read goes to stderr or a table, what programs read goes to stdout as JSON."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Progress bars and notes: on stderr, so that stdout stays clean for results.
console = Console(stderr=True)
_results = Console()


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table to stdout: the first column aligned left, the others right; brackets are text, not markup."""
    table = Table(title=escape(title), title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(escape(column), justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    _results.print(table)


def print_json(result: Any) -> None:
    """Prints a result to stdout as one JSON document."""
    print(json.dumps(result, ensure_ascii=False, indent=2, default=str))


def say(note: str) -> None:
    """Tells the user something that is worth knowing, but no result."""
    console.print(note, style="dim", markup=False, highlight=False, soft_wrap=True)
