"""What can happen to an entry of the cache of arrays."""

import json
from pathlib import Path

DAMAGES = ("truncate", "flip", "remove", "remove all", "no checksums", "broken checksums")


def damage(entry: Path, how: str) -> None:
    """Damages an entry that holds "train.ids"."""
    ids, checksums = entry / "train.ids.npy", entry / "sha256.json"
    data = ids.read_bytes()
    {
        "truncate": lambda: ids.write_bytes(data[:-20]),
        "flip": lambda: ids.write_bytes(data[:-1] + bytes([data[-1] ^ 1])),
        "remove": ids.unlink,
        "remove all": lambda: [checksums.write_text(json.dumps({})), *(path.unlink() for path in entry.glob("*.npy"))],
        "no checksums": checksums.unlink,
        "broken checksums": lambda: checksums.write_text('{"train'),
    }[how]()
