// Audits a GraphQL server for conformance with GraphQL over HTTP: node audit.mjs URL, the token in AUDIT_TOKEN.
// Prints JSON: [{"name", "status", "reason"}] of every audit.
import { auditServer } from "graphql-http";

const authorization = `Bearer ${process.env.AUDIT_TOKEN}`;

async function fetchFn(url, options = {}) {
  return fetch(url, { ...options, headers: { ...options.headers, authorization } });
}

const results = await auditServer({ url: process.argv[2], fetchFn });
console.log(JSON.stringify(results.map(({ name, status, reason }) => ({ name, status, reason: reason ?? null }))));
