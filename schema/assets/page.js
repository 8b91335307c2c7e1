// GraphiQL with a token and a purpose for every request. Both stay in this tab: sessionStorage, nothing else.
"use strict";

const STARTING_QUERY = `# Paste a token above. A masked field holds *, a refused one is null with an error;
# extensions.authorization tells which is which.
{
  viewer { role organization purposes ruleset }
}
`;
const inputs = { token: document.getElementById("token"), purpose: document.getElementById("purpose") };
const root = ReactDOM.createRoot(document.getElementById("graphiql"));

// Demo links bring token, purpose and a query in the fragment, which no browser sends to a server.
function readFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (document.documentElement.dataset.demo !== "true" || !given.has("token")) return null;
  history.replaceState(null, "", location.pathname);
  sessionStorage.clear();
  for (const name of Object.keys(inputs)) sessionStorage.setItem(name, given.get(name) ?? "");
  return given.get("query");
}

function claims(token) {
  try {
    const [, payload] = token.split(".");
    const bytes = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))));
  } catch {
    return null;
  }
}

function describe(found) {
  const option = (purpose) => Object.assign(document.createElement("option"), { value: purpose });
  const purposes = found?.authorization_details?.[0]?.purposes ?? [];
  document.getElementById("purposes").replaceChildren(...purposes.map(option));
  const until = found ? new Date(found.exp * 1000).toLocaleTimeString() : "";
  document.getElementById("who").textContent = found ? `${found.role}, until ${until}` : "no token";
}

function headers() {
  const sent = { Accept: "application/graphql-response+json", "Content-Type": "application/json" };
  if (inputs.token.value) sent.Authorization = `Bearer ${inputs.token.value.trim()}`;
  if (inputs.purpose.value) sent["X-Purpose"] = inputs.purpose.value.trim();
  return sent;
}

async function ask(body, options) {
  const sent = { ...headers(), ...options?.headers };
  const response = await fetch(location.pathname, { method: "POST", headers: sent, body: JSON.stringify(body) });
  return response.json();
}

function render(query) {
  describe(claims(inputs.token.value));
  const properties = {
    // A new function, so that GraphiQL reads the schema anew; null: there is no token to read it with.
    fetcher: (body, options) => ask(body, options),
    schema: inputs.token.value ? undefined : null,
    storage: sessionStorage,
    defaultQuery: query ?? STARTING_QUERY,
  };
  root.render(React.createElement(GraphiQL, properties));
}

const query = readFragment();
for (const [name, input] of Object.entries(inputs)) {
  input.value = sessionStorage.getItem(name) ?? "";
  input.addEventListener("change", () => {
    sessionStorage.setItem(name, input.value);
    render(query);
  });
}
document.getElementById("caller").addEventListener("submit", (event) => event.preventDefault());
render(query);
