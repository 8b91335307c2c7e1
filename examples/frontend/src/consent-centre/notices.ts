// Notices: what is new, what of it is major, the whole text, and the person's answer (C75, C78).
import { data, written } from "../answers.js";
import { AcknowledgeDocument, CompareDocument, type CompareQuery, type NoticeFragment } from "../generated.js";
import { onBehalfOf, type Centre } from "./centre.js";
import { button, el, facts } from "./elements.js";
import { words } from "./words.js";

type Change = NonNullable<CompareQuery["compareNotices"]>["changes"][number];

/** What the API says of a notice is in the notice's language. */
const CHINESE = { lang: "zh-CN" };

export async function showNotices(centre: Centre): Promise<Node[]> {
  const { standingNotice: standing, pendingNotices: pending } = centre.viewer;
  // Whoever said "not now" may still agree, to the newest; and a guardian for a ward, whom they answer for apart.
  const later = standing?.hash !== centre.newest.hash || onBehalfOf(centre) !== null;
  const open = pending.length || !later ? pending : [centre.newest];
  const shown: Node[] = [];
  if (standing) shown.push(el("p", {}, `${words().standing}: ${standing.version}`));
  if (!pending.length) shown.push(el("p", { class: "quiet" }, words().noPending));
  for (const notice of open) shown.push(await card(centre, notice));
  return shown;
}

async function card(centre: Centre, notice: NoticeFragment): Promise<HTMLElement> {
  const { version, effectiveOn, major, summary } = notice;
  const ward = onBehalfOf(centre);
  return el(
    "article",
    { class: "card", "aria-label": version },
    el("h3", {}, version),
    el("p", { class: major ? "major" : "quiet" }, major ? words().major : words().minor),
    facts([words().effectiveOn, effectiveOn]),
    el("p", CHINESE, summary),
    await changes(centre, notice),
    text(notice),
    el("p", {}, words().keepOld),
    el(
      "div",
      { class: "row" },
      notice.agreed ? null : button(words().agree, () => answer(centre, notice, true), { class: "main" }),
      notice.agreed ? null : button(words().notNow, () => answer(centre, notice, false)),
      ward ? button(`${words().agreeFor} ${centre.person?.name ?? words().ward}`, () => answer(centre, notice, true, ward)) : null,
    ),
  );
}

/** What differs from the terms that hold, the major changes first; other words of the clauses only by their number. */
async function changes(centre: Centre, notice: NoticeFragment): Promise<HTMLElement | null> {
  const from = centre.viewer.standingNotice?.version;
  if (!from || from === notice.version) return null;
  const client = await centre.session.client();
  const found = data(await client.query(CompareDocument, { from, to: notice.version })).compareNotices?.changes ?? [];
  const lines = [...found.filter((one) => one.ground), ...found.filter((one) => !one.ground)].map(difference);
  return el("div", {}, el("h4", {}, `${words().changes} (${from})`), el("ul", {}, ...lines));
}

function difference({ place, before, after, ground }: Change): HTMLElement {
  const kind = ground ? `${words().major}: ${words().grounds[ground]}` : words().minor;
  const line = el("li", {}, el("span", { class: ground ? "major" : "quiet" }, kind), ` (${place})`);
  if (!ground) return line;
  if (before) line.append(el("p", CHINESE, words().before, el("del", {}, before)));
  if (after) line.append(el("p", CHINESE, words().after, el("ins", {}, after)));
  return line;
}

function text({ clauses, responsible }: NoticeFragment): HTMLElement {
  return el(
    "details",
    {},
    el("summary", {}, words().readWhole),
    facts(
      [words().responsible, `${responsible.department}, ${responsible.contact}`],
      [words().complaints, responsible.complaints],
    ),
    el(
      "div",
      { class: "clauses", ...CHINESE },
      ...clauses.flatMap(({ number, title, text }) => [el("h4", {}, `${number} ${title}`), el("p", {}, text)]),
    ),
  );
}

async function answer(centre: Centre, { hash, version }: NoticeFragment, agrees: boolean, user: string | null = null): Promise<void> {
  const client = await centre.session.client();
  written(await client.mutation(AcknowledgeDocument, { input: { noticeHash: hash, agrees, user } }));
  await centre.done(`${agrees ? words().agreed : words().declined} ${version}.`, "notices");
}
