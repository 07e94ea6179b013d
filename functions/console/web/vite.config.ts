// Builds the pages into ../dist: one folder, names that hold a hash of what is in them.
import { existsSync, readFileSync } from "node:fs";

import { type Plugin, defineConfig } from "vite";

const GATE = "http://127.0.0.1:8080";
const LICENCES = ["LICENSE", "LICENSE.md", "license", "LICENSE.txt"];

/** Puts the licences of all that is built in beside it, as they ask for. */
function licences(): Plugin {
  return {
    name: "licences",
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((part) => (part.type === "chunk" ? part.moduleIds : []));
      const folders = modules.flatMap((id) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
      const texts = [...new Set(folders)].sort().map((folder) => {
        const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
        const file = LICENCES.map((one) => `${folder}/${one}`).find((one) => existsSync(one));
        return `${name} ${version} (${license})\n\n${file ? readFileSync(file, "utf8").trim() : `Licensed under ${license}.`}\n`;
      });
      if (texts.length === 0) throw new Error("no licences: nothing of others is built in any more");
      this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join(`\n${"-".repeat(72)}\n\n`) });
    },
  };
}

export default defineConfig({
  base: "/console/",
  plugins: [licences()],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    assetsDir: "",
    // What is inlined as data: would need a looser policy than the pages have.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
  },
  // `npx vite` beside `cargo run`: the pages as they are edited, the API as it runs.
  server: { host: "127.0.0.1", proxy: Object.fromEntries(["/v1", "/auth", "/docs", "/problems"].map((path) => [path, { target: GATE, headers: { origin: GATE } }])) },
});
