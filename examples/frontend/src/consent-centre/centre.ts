// What the page shows of one person: read whole, and again after every change.
import type { Client } from "@urql/core";
import { data, denied } from "../answers.js";
import {
  CentreDocument,
  ConsentsDocument,
  OffersDocument,
  WardsDocument,
  type CentreQuery,
  type ConsentFragment,
  type ConsentsQuery,
  type OffersQuery,
} from "../generated.js";
import type { Session } from "./session.js";

export type Person = Pick<NonNullable<CentreQuery["viewer"]["user"]>, "id" | "name" | "marketingRefusals">;

export interface Centre {
  readonly session: Session;
  readonly viewer: CentreQuery["viewer"];
  readonly newest: CentreQuery["currentNotice"];
  readonly offers: OffersQuery;
  /** Those whom the caller may choose between: a guardian's wards; customers have themselves alone. */
  readonly people: readonly Person[];
  readonly person: Person | null;
  readonly consents: readonly ConsentFragment[];
  /** What was refused, as "path (REASON)": null in the data, and nothing else changes by it. */
  readonly refused: readonly string[];
  /** Read everything again, say what was done, and put the focus on a section's heading. */
  done(told: string, section: string): Promise<void>;
  choose(person: Person): Promise<void>;
}

export type Found = Omit<Centre, "done" | "choose">;

export async function load(session: Session, chosen: string | null): Promise<Found> {
  const client = await session.client();
  const [centre, offers] = await Promise.all([client.query(CentreDocument, {}), client.query(OffersDocument, {})]);
  const { viewer, currentNotice } = data(centre);
  const people = session.asGuardian ? await wards(client) : viewer.user ? [viewer.user] : [];
  const person = people.find((one) => one.id === chosen) ?? people[0] ?? null;
  return {
    session,
    viewer,
    newest: currentNotice,
    offers: data(offers),
    people,
    person,
    consents: person ? await consentsOf(client, person) : [],
    refused: [...denied(centre), ...denied(offers)].map((one) => `${one.path} (${one.reason})`),
  };
}

/** The `user` of a mutation: a guardian's ward, and null for oneself. */
export const onBehalfOf = ({ session, person }: Found): string | null => (session.asGuardian ? (person?.id ?? null) : null);

async function wards(client: Client): Promise<Person[]> {
  return data(await client.query(WardsDocument, {})).users.edges.map((edge) => edge.node);
}

async function consentsOf(client: Client, person: Person): Promise<ConsentFragment[]> {
  const found: ConsentFragment[] = [];
  let after: string | null = null;
  do {
    const { consents }: ConsentsQuery = data(await client.query(ConsentsDocument, { user: person.id, after }));
    found.push(...consents.edges.map((edge) => edge.node));
    after = consents.pageInfo.hasNextPage ? consents.pageInfo.endCursor : null;
  } while (after);
  return found.sort((one, other) => other.grantedAt.localeCompare(one.grantedAt));
}
