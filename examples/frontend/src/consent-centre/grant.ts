// Giving a consent: only to what the notice that applies to the person tells of; sensitive data by themselves where the law wants it.
import { ProblemError, written } from "../answers.js";
import { GrantDocument, type DataCategory, type OrganizationKind, type Purpose } from "../generated.js";
import { onBehalfOf, type Centre } from "./centre.js";
import { headline } from "./consents.js";
import { choices, el, field, form, options, select } from "./elements.js";
import { words } from "./words.js";

interface Recipient {
  /** Null: the brokerage itself. */
  readonly code: string | null;
  readonly name: string;
  readonly kind: OrganizationKind;
}

interface Wish {
  readonly purpose: Purpose;
  readonly recipient: string | null;
  readonly categories: DataCategory[];
  readonly expiresAt: string | null;
}

/** Sensitive personal information, which wants a consent of its own under the law of 2021 (articles 28 and 29). */
const SENSITIVE: ReadonlySet<DataCategory> = new Set(["GOVERNMENT_ID", "BANK_ACCOUNT", "HEALTH", "EXPENSE", "FINANCIAL"]);
/** The option for a recipient whose code is typed. */
const ANOTHER = "?";

export function showGrant(centre: Centre): Node[] {
  const told = centre.viewer.standingNotice?.functions ?? [];
  const purposes = new Map(told.map(({ purpose }) => [purpose as string, words().purposes[purpose]]));
  if (!centre.person || !purposes.size) return [el("p", { class: "quiet" }, words().nothingToGrant)];

  const recipients = known(centre);
  const purpose = select(purposes);
  const recipient = el("select");
  const code = el("input", { type: "text", autocomplete: "off" });
  const codeBox = field("code", words().recipientCode, code);
  const expires = el("input", { type: "date" });
  const categories = el("div");
  const apart = el("div");

  const showRecipients = () => {
    const kinds = new Set(told.filter((one) => one.purpose === purpose.value).map((one) => one.recipient));
    const fitting = [...recipients].filter(([, one]) => kinds.has(one.kind)).map(([value, one]) => [value, one.name] as const);
    const more = kinds.size > (kinds.has("BROKER") ? 1 : 0) ? [[ANOTHER, words().another] as const] : [];
    recipient.replaceChildren(...options(new Map([...fitting, ...more])));
    recipient.selectedIndex = 0;
    showCategories();
  };
  const showCategories = () => {
    const kind = recipients.get(recipient.value)?.kind;
    const functions = told.filter((one) => one.purpose === purpose.value && (!kind || one.recipient === kind));
    const named = new Map(functions.flatMap((one) => one.categories).map((one) => [one as string, words().data[one]]));
    const uses = [...new Set(functions.map((one) => one.use))].join(" ");
    codeBox.hidden = recipient.value !== ANOTHER;
    categories.replaceChildren(
      el("p", {}, `${words().use}: `, el("span", { lang: "zh-CN" }, uses)),
      choices("categories", words().chooseCategories, named, replaced() ? words().replaces : undefined),
    );
    const given = replaced()?.categories ?? [];
    tick(categories, (category) => given.includes(category) && !given.every((one) => SENSITIVE.has(one)));
    apart.replaceChildren();
  };
  const wish = (): Wish => ({
    purpose: purpose.value as Purpose,
    recipient: recipient.value === ANOTHER ? code.value.trim() : (recipients.get(recipient.value)?.code ?? null),
    categories: ticked(categories),
    expiresAt: expires.value ? `${expires.value}T23:59:59+08:00` : null,
  });
  /** A consent to the same purpose and recipient, in whose place the new one comes. */
  const replaced = () =>
    centre.consents.find(
      (one) => one.status === "ACTIVE" && one.purpose === wish().purpose && (one.recipient?.code ?? null) === wish().recipient,
    );
  purpose.addEventListener("change", showRecipients);
  recipient.addEventListener("change", showCategories);
  showRecipients();

  const ask = async () => {
    try {
      await grant(centre, wish());
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.code !== "SEPARATE_CONSENT_REQUIRED") throw error;
      const sensitive = wish().categories.filter((one) => SENSITIVE.has(one));
      tick(categories, (category) => wish().categories.includes(category) && !SENSITIVE.has(category));
      apart.replaceChildren(separately(centre, wish(), sensitive));
      apart.querySelector("input")?.focus();
    }
  };
  const asked = form(
    {},
    ask,
    field("purpose", words().purpose, purpose),
    field("recipient", words().recipient, recipient),
    codeBox,
    categories,
    field("expiresAt", words().expiresOn, expires),
    el("div", { class: "row" }, el("button", { class: "main" }, words().give)),
  );
  return [el("div", { class: "card" }, asked, apart)];
}

/** The sensitive ones of a wish, asked for by themselves: none is ticked, and the others do not hang on them. */
function separately(centre: Centre, wish: Wish, sensitive: DataCategory[]): HTMLElement {
  const named = new Map(sensitive.map((one) => [one as string, words().data[one]]));
  const made: HTMLFormElement = form(
    {},
    () => grant(centre, { ...wish, categories: ticked(made) }),
    choices("categories", words().apartTitle, named, words().apart),
    el("div", { class: "row" }, el("button", { class: "main" }, words().giveApart)),
  );
  return made;
}

/** Recipients by the value of their option: the brokerage, the insurers on offer, and whoever has been consented to before. */
function known(centre: Centre): Map<string, Recipient> {
  const insurers = centre.offers.products.edges.map((edge) => edge.node.insurer);
  const before = centre.consents.flatMap((one) => one.recipient ?? []);
  const brokerage: Recipient = { code: null, name: words().brokerage, kind: "BROKER" };
  return new Map([["", brokerage], ...[...insurers, ...before].map((one) => [one.code, one] as const)]);
}

const boxes = (within: HTMLElement) => [...within.querySelectorAll<HTMLInputElement>("input[type=checkbox]")];

const ticked = (within: HTMLElement) => boxes(within).filter((one) => one.checked).map((one) => one.value as DataCategory);

function tick(within: HTMLElement, which: (category: DataCategory) => boolean): void {
  const wanted = new Set(boxes(within).filter((one) => which(one.value as DataCategory)));
  for (const one of boxes(within)) one.checked = wanted.has(one);
}

async function grant(centre: Centre, wish: Wish): Promise<void> {
  const noticeHash = centre.viewer.standingNotice!.hash;
  const client = await centre.session.client();
  const input = { ...wish, noticeHash, user: onBehalfOf(centre) };
  const consent = written(await client.mutation(GrantDocument, { input }));
  await centre.done(`${words().given} ${consent ? headline(consent) : words().purposes[wish.purpose]}.`, "consents");
}
