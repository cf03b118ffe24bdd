"""PyTorch with transformers behind FastAPI, as one writes it in an afternoon: a request a run, one at a time.

python pytorch_server.py CHECKPOINT PORT THREADS
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Lock, Thread

import torch
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from transformers import AsyncTextIteratorStreamer, AutoModel, AutoModelForCausalLM, AutoTokenizer


class Texts(BaseModel):
    input: list[str]


class Prompt(BaseModel):
    prompt: list[int]
    max_tokens: int


class Tokens(AsyncTextIteratorStreamer):
    """Gives each token as soon as it is there: the class's own waits for a space, which random tokens seldom have."""

    def put(self, value: torch.Tensor) -> None:
        if self.next_tokens_are_prompt:
            self.next_tokens_are_prompt = False
        else:
            self.on_finalized_text(self.tokenizer.decode(value))

    def end(self) -> None:
        self.next_tokens_are_prompt = True
        self.on_finalized_text("", stream_end=True)


def main() -> None:
    checkpoint, port, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    generates = json.loads((checkpoint / "config.json").read_text())["model_type"] == "gpt2"
    app = FastAPI()
    app.get("/health")(lambda: {})
    (_complete if generates else _embed)(app, checkpoint)
    uvicorn.run(app, port=port, log_level="warning")


def _embed(app: FastAPI, checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    one_at_a_time = Lock()

    @app.post("/v1/embeddings")
    def embeddings(texts: Texts) -> dict:
        batch = tokenizer(texts.input, padding=True, truncation=True, return_tensors="pt")
        with one_at_a_time, torch.inference_mode():
            states = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
        return {"data": [{"index": index, "embedding": row} for index, row in enumerate(vectors.tolist())]}


def _complete(app: FastAPI, checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    one_at_a_time = asyncio.Lock()

    async def events(asked: Prompt) -> AsyncIterator[str]:
        ids = torch.tensor([asked.prompt])
        settings = {
            "max_new_tokens": asked.max_tokens, "min_new_tokens": asked.max_tokens, "do_sample": False,
        }  # fmt: skip
        async with one_at_a_time:
            streamer = Tokens(tokenizer)
            writer = Thread(
                target=model.generate,
                kwargs={"input_ids": ids, "attention_mask": torch.ones_like(ids), "streamer": streamer, **settings},
            )
            writer.start()
            async for text in streamer:
                yield f"data: {json.dumps({'choices': [{'text': text}]})}\n\n"
            writer.join()
        yield f"data: {json.dumps({'choices': [], 'usage': {'completion_tokens': asked.max_tokens}})}\n\n"
        yield "data: [DONE]\n\n"

    @app.post("/v1/completions")
    async def completions(asked: Prompt) -> StreamingResponse:
        return StreamingResponse(events(asked), media_type="text/event-stream")


if __name__ == "__main__":
    main()
