// The consent centre's script in one file, dist/page.js: browsers do not find packages by their names.
import { build } from "esbuild";

await build({
  entryPoints: ["src/consent-centre/main.ts"],
  outfile: "dist/page.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "linked",
});
