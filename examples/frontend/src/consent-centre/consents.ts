// Consents: those in force, each with its receipt and one button to withdraw it (C68), and those that are over.
import { data, written } from "../answers.js";
import { ReceiptDocument, WithdrawDocument, type ConsentFragment } from "../generated.js";
import type { Centre } from "./centre.js";
import { button, byId, el, facts, fail, tell } from "./elements.js";
import { listed, moment, words } from "./words.js";

export function showConsents(centre: Centre): Node[] {
  const active = centre.consents.filter((one) => one.status === "ACTIVE");
  return cards(active, words().noConsents, (one) => [
    button(words().withdraw, () => confirm(centre, one), { class: "main", "aria-label": `${words().withdraw}: ${headline(one)}` }),
    receiptButton(centre, one),
  ]);
}

export function showHistory(centre: Centre): Node[] {
  const over = centre.consents.filter((one) => one.status !== "ACTIVE");
  return cards(over, words().noHistory, (one) => [receiptButton(centre, one)]);
}

/** What a consent is to, in a few words. */
export const headline = ({ purpose, recipient }: ConsentFragment) =>
  `${words().purposes[purpose]} – ${recipient?.name ?? words().brokerage}`;

const categoriesOf = (consent: ConsentFragment) => listed(consent.categories.map((one) => words().data[one]));

function cards(consents: ConsentFragment[], none: string, acts: (one: ConsentFragment) => Node[]): Node[] {
  if (!consents.length) return [el("p", { class: "quiet" }, none)];
  return [el("ul", { class: "cards" }, ...consents.map((one) => card(one, acts(one))))];
}

function card(one: ConsentFragment, acts: Node[]): HTMLElement {
  const said = words();
  return el(
    "li",
    { class: "card" },
    el("h3", {}, headline(one)),
    facts(
      [said.categories, categoriesOf(one)],
      [said.status, said.statuses[one.status]],
      [said.since, moment(one.grantedAt)],
      [said.withdrawnAt, one.withdrawnAt && moment(one.withdrawnAt)],
      [said.until, one.expiresAt && moment(one.expiresAt)],
      [said.under, one.noticeVersion],
      [said.byGuardian, one.givenByGuardian ? said.yes : null],
      [said.withdrawnByGuardian, one.withdrawnByGuardian ? said.yes : null],
    ),
    el("div", { class: "row" }, ...acts),
  );
}

/** Asks whether it is meant, and says exactly what follows and what does not. Escape keeps the consent. */
function confirm(centre: Centre, consent: ConsentFragment): void {
  const said = words();
  const dialog = byId<HTMLDialogElement>("confirm");
  dialog.replaceChildren(
    el("h2", { id: "confirm-title" }, said.withdrawTitle),
    el(
      "div",
      { id: "confirm-text" },
      el("h3", {}, said.stops),
      el("p", {}, `${headline(consent)}: ${categoriesOf(consent)}. ${said.stopsNow}`),
      el("h3", {}, said.stays),
      el("p", {}, said.staysLawful),
    ),
    el(
      "div",
      { class: "row" },
      button(said.withdraw, () => withdraw(centre, consent, dialog), { class: "main" }),
      button(said.keep, () => dialog.close()),
    ),
  );
  dialog.showModal();
}

async function withdraw(centre: Centre, consent: ConsentFragment, dialog: HTMLDialogElement): Promise<void> {
  try {
    const client = await centre.session.client();
    written(await client.mutation(WithdrawDocument, { input: { id: consent.id } }));
  } finally {
    dialog.close();
  }
  await centre.done(`${words().withdrawn} ${headline(consent)}.`, "consents");
}

function receiptButton(centre: Centre, consent: ConsentFragment): HTMLButtonElement {
  const label = `${words().receipt}: ${headline(consent)}`;
  return button(words().receipt, () => download(centre, consent), { "aria-label": label });
}

/** The signed receipt, as a file of the person's own. */
async function download(centre: Centre, { id }: ConsentFragment): Promise<void> {
  const client = await centre.session.client();
  const { node } = data(await client.query(ReceiptDocument, { id }));
  const receipt = node && "receipt" in node ? node.receipt : null;
  if (!receipt) return fail(words().noReceipt);
  const address = URL.createObjectURL(new Blob([receipt.jws], { type: receipt.mediaType }));
  el("a", { href: address, download: receipt.fileName }).click();
  URL.revokeObjectURL(address);
  tell(`${words().downloaded} ${receipt.fileName}`);
}
