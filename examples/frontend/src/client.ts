// A client for one person and purpose. Every mutation has an Idempotency-Key, and keeps it when it is sent again.
import { Client, fetchExchange, makeOperation, mapExchange } from "@urql/core";
import { retryExchange } from "@urql/exchange-retry";

export interface Caller {
  readonly token: string;
  /** As X-Purpose has it: "account_service". */
  readonly purpose: string;
}

export function connect(url: string, caller: Caller, fetch = globalThis.fetch): Client {
  const headers = { Authorization: `Bearer ${caller.token}`, "X-Purpose": caller.purpose };
  return new Client({
    url,
    fetch,
    fetchOptions: { headers },
    preferGetMethod: false,
    // Their order matters: a key is drawn once, before anything is sent for the second time.
    exchanges: [once(headers), again, fetchExchange],
  });
}

const once = (headers: Record<string, string>) =>
  mapExchange({
    onOperation(operation) {
      if (operation.kind !== "mutation") return operation;
      const withKey = { ...headers, "Idempotency-Key": crypto.randomUUID() };
      return makeOperation(operation.kind, operation, { ...operation.context, fetchOptions: { headers: withKey } });
    },
  });

const again = retryExchange({
  initialDelayMs: 200,
  maxNumberAttempts: 5,
  // No answer, or "not at the moment": nobody knows whether it was done, but the key does.
  retryIf: (error) => error.networkError !== undefined || [429, 503].includes(error.response?.status),
});
