// transformers.js in Node.

import { readFileSync, writeFileSync } from "node:fs";
import * as transformers from "@huggingface/transformers";
import { answer } from "./transformers_js.mjs";

const { root, jobs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
transformers.env.allowRemoteModels = false;
transformers.env.localModelPath = `${root}/`;
const answers = [];
for (const job of jobs) answers.push(await answer(transformers, job, "cpu"));
writeFileSync(process.argv[3], JSON.stringify(answers));
