// Serves the built page on loopback and passes /graphql on: one origin, so no CORS, under a policy that allows nothing but the page's own files.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Readable } from "node:stream";

const API = process.env.NEEDFUL_URL ?? "http://127.0.0.1:8000/graphql";
const PORT = Number(process.env.PORT ?? 8080);
const FILES = new Map([
  ["/", ["index.html", "text/html; charset=utf-8"]],
  ["/page.css", ["page.css", "text/css; charset=utf-8"]],
  ["/page.js", ["../dist/page.js", "text/javascript; charset=utf-8"]],
]);
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");
const SAFE = {
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cache-Control": "no-cache",
};
const ASKED = ["authorization", "content-type", "accept", "x-purpose", "idempotency-key"];
const ANSWERED = ["content-type", "cache-control", "retry-after"];

const only = (names, found) => Object.fromEntries(names.filter((name) => found(name)).map((name) => [name, found(name)]));

async function passOn(request, response) {
  const answer = await fetch(API, {
    method: "POST",
    headers: only(ASKED, (name) => request.headers[name]),
    body: Readable.toWeb(request),
    duplex: "half",
  });
  response.writeHead(answer.status, { ...SAFE, ...only(ANSWERED, (name) => answer.headers.get(name)) });
  response.end(Buffer.from(await answer.arrayBuffer()));
}

async function answer(request, response) {
  const file = FILES.get(request.url);
  if (request.url === "/graphql" && request.method === "POST") return passOn(request, response);
  if (!file || request.method !== "GET") return response.writeHead(404, SAFE).end();
  const body = await readFile(new URL(file[0], import.meta.url));
  response.writeHead(200, { ...SAFE, "Content-Type": file[1] }).end(body);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(`${request.method} ${request.url}: ${error.message}`);
    if (!response.headersSent) response.writeHead(502, SAFE);
    response.end();
  });
});
server.listen(PORT, "127.0.0.1", () => console.log(`The consent centre: http://127.0.0.1:${server.address().port}/`));
