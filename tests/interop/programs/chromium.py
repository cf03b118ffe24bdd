"""transformers.js in a headless Chromium: the same program as in Node, in a page."""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.browser import opened, served
from tests.interop.consumers import NODE

PAGE = """<!doctype html><link rel="icon" href="data:,"><script type="module">
import * as transformers from "./node_modules/@huggingface/transformers/dist/transformers.min.js";
import { answer } from "./programs/transformers_js.mjs";
const { env } = transformers;
Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "./", useBrowserCache: false });
env.backends.onnx.wasm.wasmPaths = new URL("./node_modules/onnxruntime-web/dist/", location.href).href;
window.answer = (job) => answer(transformers, job, "wasm");
</script>"""


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        (site / "index.html").write_text(PAGE)
        (site / "node_modules").symlink_to(NODE / "node_modules")
        (site / "programs").symlink_to(Path(__file__).parent)
        (site / "bundles").symlink_to(asked["root"])
        with served(site) as address, opened(address) as page:
            page.wait_for_function("window.answer")
            jobs = [{**job, "bundle": f"bundles/{job['bundle']}"} for job in asked["jobs"]]
            Path(sys.argv[2]).write_text(json.dumps([page.evaluate("job => answer(job)", job) for job in jobs]))


main()
