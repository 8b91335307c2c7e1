// The app's permissions and uses of cookies (C14, C15, C67), and channels of marketing (C20): each for itself.
import { written } from "../answers.js";
import { PermitDocument, RefuseMarketingDocument, type MarketingChannel, type OffersQuery } from "../generated.js";
import { onBehalfOf, type Centre } from "./centre.js";
import { button, el } from "./elements.js";
import { words } from "./words.js";

type Offer = OffersQuery["permissionCatalogue"][number];

/** Whoever uses the device decides on them, so a guardian has none here. */
export function showPermissions(centre: Centre): Node[] {
  if (centre.session.asGuardian) return [];
  const groups = { APP: words().app, COOKIE: words().cookies };
  return Object.entries(groups).flatMap(([group, title]) => {
    const offers = centre.offers.permissionCatalogue.filter((one) => one.group === group);
    return [el("h3", {}, title), el("ul", { class: "cards" }, ...offers.map((one) => permission(centre, one)))];
  });
}

/** Whoever refuses a channel is in no audience; what they consented to stays. Not shown: nothing to decide on. */
export function showMarketing(centre: Centre): Node[] {
  const refused = centre.person?.marketingRefusals;
  if (!refused) return [el("p", { class: "quiet" }, words().notShown)];
  const channels = Object.keys(words().channels) as MarketingChannel[];
  const cards = channels.map((channel) => {
    const allowed = !refused.includes(channel);
    return card(centre, words().channels[channel], allowed, [], async () => {
      const client = await centre.session.client();
      const input = { channel, refused: allowed, user: onBehalfOf(centre) };
      written(await client.mutation(RefuseMarketingDocument, { input }));
      return "marketing";
    });
  });
  return [el("p", {}, words().aboutMarketing), el("ul", { class: "cards" }, ...cards)];
}

function permission(centre: Centre, { kind, use, consequence }: Offer): HTMLElement {
  const granted = centre.viewer.user?.permissions.find((one) => one.kind === kind)?.granted ?? false;
  const about = [el("p", { lang: "zh-CN" }, use), el("p", { lang: "zh-CN", class: "quiet" }, consequence)];
  return card(centre, words().asked[kind], granted, about, async () => {
    const client = await centre.session.client();
    written(await client.mutation(PermitDocument, { input: { permission: kind, granted: !granted } }));
    return "permissions";
  });
}

/** One thing that is allowed or refused, and the button that turns it; `turn` tells the section to go back to. */
function card(centre: Centre, name: string, allowed: boolean, about: Node[], turn: () => Promise<string>): HTMLElement {
  const act = allowed ? words().refuse : words().allow;
  const acted = async () => centre.done(`${name}: ${allowed ? words().refused : words().allowed}.`, await turn());
  return el(
    "li",
    { class: "card" },
    el("p", {}, el("strong", {}, `${name}: ${allowed ? words().allowed : words().refused}`)),
    ...about,
    button(act, acted, { "aria-label": `${act}: ${name}` }),
  );
}
