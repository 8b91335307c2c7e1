// Who is logged in. Tokens live in this variable and nowhere else: closing or reloading the page forgets them.
import type { Client } from "@urql/core";
import { data, ProblemError } from "../answers.js";
import { connect } from "../client.js";
import { LogOutDocument, type LogInInput, type LogInMutation, type ProblemFragment, type RefreshMutation } from "../generated.js";

/** Hashes of the house's documents LogIn and Refresh (docs/frontend.md): without a token only registered ones run. */
const LOG_IN = "08df9957768607defe96ec72a6257cc1528c59409ebb79ff745a1a7204d8e071";
const REFRESH = "771d923c5fe11e960e96403f4d2de3d10f0a51b232a41e68c394bed05008d48e";
const SOON = 30_000; // milliseconds

type Tokens = Extract<LogInMutation["logIn"], { __typename: "SessionTokens" }>;

const url = new URL("/graphql", location.href).href;

export class Session {
  #renewing: Promise<void> | null = null;
  #client: Client;

  private constructor(private tokens: Tokens, readonly asGuardian: boolean) {
    this.#client = connected(tokens);
  }

  /** Throws the problem if that is nobody's login, or if a code or a new password is asked for. */
  static async open(input: LogInInput): Promise<Session> {
    const { logIn } = await anonymous<LogInMutation>(LOG_IN, input);
    return new Session(tokensOf(logIn), input.role === "GUARDIAN");
  }

  /** A client whose token is good for the next request. A refresh token is good once, so only one renewal runs at a time. */
  async client(): Promise<Client> {
    if (Date.parse(this.tokens.accessExpiresAt) - Date.now() < SOON) {
      this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
      await this.#renewing;
    }
    return this.#client;
  }

  /** Ends the session at the service too. */
  async close(): Promise<void> {
    data(await (await this.client()).mutation(LogOutDocument, {}));
  }

  async #renew(): Promise<void> {
    const { refresh } = await anonymous<RefreshMutation>(REFRESH, { refreshToken: this.tokens.refreshToken });
    this.tokens = tokensOf(refresh);
    this.#client = connected(this.tokens);
  }
}

const connected = (tokens: Tokens) => connect(url, { token: tokens.accessToken, purpose: "account_service" });

function tokensOf(payload: LogInMutation["logIn"] | RefreshMutation["refresh"]): Tokens {
  if (payload.__typename === "SessionTokens") return payload;
  throw new ProblemError(payload as ProblemFragment);
}

async function anonymous<T>(hash: string, input: object): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ documentId: `sha256:${hash}`, variables: { input } }),
  });
  const { data, errors } = await response.json();
  if (!data) throw new Error(errors?.[0]?.message ?? `${response.status}`);
  return data as T;
}
