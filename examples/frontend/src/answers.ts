// What an answer tells: a payload or a problem, what was masked and denied of it, and what of a form may be sent back.
import type { OperationResult } from "@urql/core";
import type { ProblemFragment } from "./generated.js";

/** The data, partial as they may be: what is denied is null in them. Throws if the whole request was refused. */
export function data<T>(result: OperationResult<T>): T {
  if (result.data) return result.data;
  const codes = result.error?.graphQLErrors.map((one) => `${one.extensions["code"]}: ${one.message}`);
  throw new Error(codes?.join("\n") || result.error?.message || "no answer");
}

export interface Left {
  readonly path: string;
  readonly reason: string;
}

/** The fields that were denied, with the reason; the rest of the answer stands. */
export function denied(result: OperationResult): Left[] {
  const errors = result.error?.graphQLErrors.filter((one) => one.extensions["code"] === "FIELD_DENIED") ?? [];
  return errors.map((one) => ({
    path: String(one.extensions["pathPattern"]),
    reason: String(one.extensions["reason"]),
  }));
}

/** The fields that came masked: something to look at, never a value to work with. */
export function masked(result: OperationResult): string[] {
  const fields: { pathPattern: string; effect: string }[] = result.extensions?.["authorization"]?.fields ?? [];
  return fields.filter((one) => one.effect === "MASK").map((one) => one.pathPattern);
}

type Form = Record<string, string | null>;

/** What was typed into a form: the fields that differ from what they showed. A mask that was left alone, and what is empty, is not sent. */
export function typed<F extends Form>(shown: { readonly [Field in keyof F]?: string | null }, form: F): Partial<F> {
  const said = Object.entries(form).filter(([field, value]) => value !== "" && value !== (shown[field] ?? null));
  return Object.fromEntries(said) as Partial<F>;
}

type Payload = { __typename: string };

export function isProblem<P extends Payload>(payload: P): payload is P & ProblemFragment {
  return "code" in payload;
}

/** What a mutation wrote; null if that is out of the caller's sight by now. Throws a problem, to be caught by forms. */
export function written<P extends Payload>(result: OperationResult<{ payload: P | null }>) {
  const { payload } = data(result);
  if (payload !== null && isProblem(payload)) throw new ProblemError(payload);
  return payload as Exclude<P, ProblemFragment> | null;
}

/** A problem, by field of the form. */
export class ProblemError extends Error {
  constructor(readonly problem: ProblemFragment) {
    super(problem.message);
  }

  /** The message of each field that is to be marked; "" stands for the form as a whole. */
  get byField(): Map<string, string> {
    const { problem } = this;
    const items = "items" in problem ? problem.items : [];
    if (items.length) return new Map(items.map((item) => [item.field, `${problem.code} (${item.clause})`]));
    return new Map([[problem.field ?? "", problem.code]]);
  }
}
