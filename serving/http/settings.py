"""What can be set about a server: each field is a flag of `kerasllm serve` and a variable KERASLLM_SERVE_<FIELD>."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where it listens, what it computes with, and how much it takes on."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every one that this machine has."""
    port: int = 8080
    """Port to listen on; 0: any that is free."""
    variant: str | None = None
    """fp32, int8 or another that every bundle has (default: each bundle's own)."""
    threads: int | None = None
    """Threads of a run (default: every core that this process may use)."""
    slots: int = 32
    """Texts that a decoder writes together."""
    queue: int = 256
    """Requests, and texts of a decoder, that may wait; more are answered with 429."""
    most_bytes: int = 8 * 2**20
    """Bytes of a request's body."""
    most_texts: int = 1024
    """Texts of a request."""
    most_tokens: int = 131_072
    """Tokens of a request: of its texts, or of its prompts and what is to be written."""
    body_seconds: float = 30.0
    """Time for a request's body to arrive."""
    request_seconds: float = 300.0
    """Time for the answer; then 504."""
    streams: int = 256
    """Streams at once; more are answered with 429."""
    keys: Path | None = None
    """A file of API keys, one a line, as `name:key` or the key alone; without it everybody may ask."""
    rate: int | None = None
    """Requests a minute that each key (without keys: each address) may send."""
    cors: tuple[str, ...] = ()
    """Origins of other sites whose pages may ask, or *."""
    reload_seconds: float = 5.0
    """Look so often whether a bundle has changed, and take the new one; 0: never."""
    drain_seconds: float = 30.0
    """Time for running requests to end when the server is stopped."""
    log_texts: bool = False
    """Write the bodies of requests to the log."""

    def __post_init__(self) -> None:
        for name in ("slots", "queue", "most_bytes", "most_texts", "most_tokens", "streams"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1. Received: {getattr(self, name)}.")
        for name in ("body_seconds", "request_seconds", "drain_seconds"):
            if not 0 < getattr(self, name) < 1e9:
                raise ValueError(f"{name} must be more than 0. Received: {getattr(self, name)}.")
        if not 0 <= self.reload_seconds < 1e9:
            raise ValueError(f"reload_seconds must be at least 0. Received: {self.reload_seconds}.")
        if not 0 <= self.port < 2**16:
            raise ValueError(f"port must be from 0 to 65535. Received: {self.port}.")
        if self.rate is not None and self.rate < 1:
            raise ValueError(f"rate must be at least 1 request a minute. Received: {self.rate}.")
