"""llama.cpp, built for this processor: float32, float16, and its 8 and 4 bits in blocks of 32."""

import json
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from generating import Generator, serve
from safetensors.numpy import load_file

CONTEXT = 512  # tokens that there is room for
TYPES = {
    "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
}


def prepare(checkpoint: Path, out: Path) -> None:
    _write_gguf(checkpoint, out / "F32.gguf")
    for name, kind in TYPES.items():
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = kind
        files = str(out / "F32.gguf").encode(), str(out / f"{name}.gguf").encode()
        if llama_cpp.llama_model_quantize(*files, parameters):
            raise RuntimeError(f"llama.cpp cannot quantize to {name}")


def _write_gguf(checkpoint: Path, file: Path) -> None:
    """With its tokenizer: here ids go in and come out, but llama.cpp's server writes texts."""
    config = json.loads((checkpoint / "config.json").read_text())
    arch, llama = config["model_type"], config["model_type"] == "llama"
    layers = config["num_hidden_layers" if llama else "n_layer"]
    heads = config["num_attention_heads" if llama else "n_head"]
    width = config["hidden_size" if llama else "n_embd"]
    writer = gguf.GGUFWriter(file, arch)
    _add_tokenizer(writer, json.loads((checkpoint / "tokenizer.json").read_text()))
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_embedding_length(width)
    writer.add_context_length(config["max_position_embeddings" if llama else "n_positions"])
    writer.add_feed_forward_length(config["intermediate_size" if llama else "n_inner"])
    if llama:
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
        writer.add_rope_dimension_count(width // heads)
        writer.add_rope_freq_base(config["rope_theta"])
    else:
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA if llama else gguf.MODEL_ARCH.GPT2, layers)
    for name, weight in load_file(checkpoint / "model.safetensors").items():
        if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            weight = weight.T  # GPT-2's products are [in, out]
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            weight = _in_pairs(weight, heads)
        known = names.get_name(name.removeprefix("transformer."), (".weight", ".bias"))
        writer.add_tensor(known, np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict) -> None:
    vocabulary, merges = tokenizer["model"]["vocab"], tokenizer["model"]["merges"]
    special = {token["id"] for token in tokenizer["added_tokens"]}
    kinds = [gguf.TokenType.CONTROL if index in special else gguf.TokenType.NORMAL for index in vocabulary.values()]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(vocabulary))
    writer.add_token_types(kinds)
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in merges])
    writer.add_eos_token_id(max(special))


def _in_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a head in the order of llama.cpp, which turns neighbours instead of halves: [out, in]."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def load(checkpoint: Path, prepared: Path, threads: int):
    llama_cpp.llama_backend_init()
    return {name: lambda name=name: opened(prepared / f"{name}.gguf", threads) for name in ("F32", *TYPES)}


def opened(file: Path, threads: int) -> Generator:
    model = llama_cpp.llama_model_load_from_file(str(file).encode(), llama_cpp.llama_model_default_params())
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = settings.n_batch = settings.n_ubatch = CONTEXT
    settings.n_threads = settings.n_threads_batch = threads
    context = llama_cpp.llama_init_from_model(model, settings)
    if not context:
        raise RuntimeError(f"llama.cpp cannot open {file.name}")
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    memory = llama_cpp.llama_get_memory(context)

    def generate(prompt: list[int], count: int) -> list[int]:
        llama_cpp.llama_memory_clear(memory, True)
        step, tokens = prompt, []
        for _ in range(count):
            ids = (llama_cpp.llama_token * len(step))(*step)
            if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(ids, len(step))):
                raise RuntimeError("llama.cpp cannot go on")
            logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), (size,))
            step = [int(logits.argmax())]
            tokens += step
        return tokens

    return Generator(generate, file)


if __name__ == "__main__":
    serve(prepare, load)
