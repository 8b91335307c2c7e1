// Who takes part: a customer who signs up, and the three who come with a token.
import { connect, type Caller } from "./client.js";

export const url = process.env["NEEDFUL_URL"] ?? "http://127.0.0.1:8000/graphql";

/** The hash of the house's document SignUp: whoever has no token yet runs registered documents only. */
const SIGN_UP = "2a3f978943eff5cbc6a37e4ee82aa315cbab54a90fda04f689315b2475c5111c";

export async function signUp(fetch = globalThis.fetch) {
  const number = Math.floor(Math.random() * 1e8);
  const input = {
    phone: `139${String(number).padStart(8, "0")}`,
    username: `visitor${number}`,
    password: "nine horses eat apples",
  };
  const response = await globalThis.fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ documentId: `sha256:${SIGN_UP}`, variables: { input } }),
  });
  const { data } = await response.json();
  if (!data?.register.accessToken) throw new Error(data?.register.message ?? `sign-up: ${response.status}`);
  return connect(url, { token: data.register.accessToken, purpose: "account_service" }, fetch);
}

/** A client with the token that the environment holds. */
export function withToken(variable: string, purpose: string) {
  const token = process.env[variable];
  if (!token) throw new Error(`${variable} holds no token: README.md says how to get one.`);
  const caller: Caller = { token, purpose };
  return connect(url, caller);
}

/** A connection that carries out what it is asked, and then loses the answer of the first such mutation that is done. */
export function losing(mutation: string): typeof globalThis.fetch {
  let lost = false;
  return async (input, init) => {
    const response = await globalThis.fetch(input, init);
    if (lost || !String(init?.body).includes(`mutation ${mutation}`)) return response;
    lost = (await response.clone().text()).includes('"__typename":"Policy"');
    if (lost) throw new TypeError("the connection is gone");
    return response;
  };
}

/** The identity number of a made-up resident (GB 11643: 17 digits and a check character). */
export function identityNumber(): string {
  const digits = `110101199006${String(10 + Math.floor(Math.random() * 18))}${100 + Math.floor(Math.random() * 899)}`;
  const sum = [...digits].reduce((total, digit, place) => total + Number(digit) * (2 ** (17 - place) % 11), 0);
  return digits + "10X98765432"[sum % 11];
}
