"""Counters and histograms for Prometheus.

Encoders have the names of text-embeddings-inference (te_...), decoders those of vLLM without its prefix.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..batching import RunReport

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = tuple(2**power for power in range(14))


class Metrics:
    """Of one server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        by_route = ("method", "path", "status")
        self.requests = Counter("te_request_count", "Requests, by route and status.", by_route, registry=registry)
        self.duration = Histogram(
            "te_request_duration", "Seconds of a request.", ("path",), buckets=_SECONDS, registry=registry
        )
        self.queue_time = Histogram(
            "te_request_queue_duration",
            "Seconds that rows waited for a run.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.inference_time = Histogram(
            "te_request_inference_duration",
            "Seconds of a run of the graph.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_rows = Histogram(
            "te_batch_next_size", "Rows of a run.", ("model",), buckets=_SIZES, registry=registry
        )
        self.batch_tokens = Histogram(
            "te_batch_next_tokens", "Tokens of a run.", ("model",), buckets=_SIZES, registry=registry
        )
        self.queue_size = Gauge("te_queue_size", "Requests that are being worked on, or wait.", registry=registry)
        self.first_token = Histogram(
            "time_to_first_token_seconds",
            "Until a text's first piece.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.between_tokens = Histogram(
            "inter_token_latency_seconds",
            "From piece to piece of a text.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.running = Gauge("num_requests_running", "Texts that are being written.", ("model",), registry=registry)
        self.waiting = Gauge("num_requests_waiting", "Texts that wait for a slot.", ("model",), registry=registry)
        self.prompt_tokens = Counter("prompt_tokens", "Tokens of prompts.", ("model",), registry=registry)
        self.generated_tokens = Counter("generation_tokens", "Tokens written.", ("model",), registry=registry)

    def observe_run(self, model: str, report: RunReport) -> None:
        """Counts a run of an encoder's graph."""
        self.batch_rows.labels(model).observe(report.rows)
        self.batch_tokens.labels(model).observe(report.tokens)
        self.inference_time.labels(model).observe(report.seconds)
        for seconds in report.waited:
            self.queue_time.labels(model).observe(seconds)

    def page(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self.registry)
