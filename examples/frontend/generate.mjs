// Types for the documents below, made by graphql-codegen from the published schema: src/generated.ts, not committed.
import { codegen } from "@graphql-codegen/core";
import * as operations from "@graphql-codegen/typescript-operations";
import * as documents from "@graphql-codegen/typed-document-node";
import { parse } from "graphql";
import { readFile, writeFile } from "node:fs/promises";

const read = async (path) => parse(await readFile(new URL(path, import.meta.url), "utf8"));
const DOCUMENTS = [
  "src/documents.graphql",
  "src/consent-centre/documents.graphql",
  // What may be asked without a token, by its hash: docs/frontend.md#logging-in.
  "../../resolvers/registered_documents/log-in.graphql",
  "../../resolvers/registered_documents/refresh.graphql",
];
const text = { input: "string", output: "string" };

const generated = await codegen({
  filename: "src/generated.ts",
  schema: await read("../../docs/schema.graphql"),
  documents: await Promise.all(DOCUMENTS.map(async (location) => ({ location, document: await read(location) }))),
  plugins: [{ operations: {} }, { documents: {} }],
  pluginMap: { operations, documents },
  config: {
    // Amounts come and go as text: a number would lose the cents of large ones.
    scalars: { Date: text, DateTime: text, Decimal: text, JSON: "unknown" },
    strictScalars: true,
    enumType: "string-literal",
    useTypeImports: true,
  },
});
await writeFile(new URL("src/generated.ts", import.meta.url), generated);
