// Bundles a module for a browser, as an application's own build does. usage: node build.mjs ENTRY OUT CLIENT
import { build } from "esbuild";

const [entry, out, client] = process.argv.slice(2);
await build({
  entryPoints: [entry],
  outfile: out,
  bundle: true,
  format: "esm",
  jsx: "automatic",
  alias: { "twinwire-client": client },
  define: { "process.env.NODE_ENV": '"production"' },
  nodePaths: [new URL("../../node_modules", import.meta.url).pathname],
  logLevel: "error",
});
