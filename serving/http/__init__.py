"""The server: bundles answer over HTTP, in OpenAI's, text-embeddings-inference's and KServe's dialects."""
