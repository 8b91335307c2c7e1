// The consent centre: log in, and everything there is to decide on one page.
import { ProblemError } from "../answers.js";
import type { LogInInput } from "../generated.js";
import { load, type Centre, type Found, type Person } from "./centre.js";
import { showConsents, showHistory } from "./consents.js";
import { byId, el, fail, field, form, select, tell } from "./elements.js";
import { showGrant } from "./grant.js";
import { showNotices } from "./notices.js";
import { showMarketing, showPermissions } from "./permissions.js";
import { Session } from "./session.js";
import { other, speak, words } from "./words.js";

let found: Found | null = null;

const SECTIONS = {
  person: showPeople,
  notices: showNotices,
  consents: showConsents,
  grant: showGrant,
  history: showHistory,
  marketing: showMarketing,
  permissions: showPermissions,
};

async function show(): Promise<void> {
  byId("login").hidden = found !== null;
  byId("centre").hidden = byId("log-out").hidden = found === null;
  if (!found) return byId("login-form").replaceWith(logInForm());
  const centre: Centre = { ...found, done, choose };
  for (const [section, render] of Object.entries(SECTIONS)) {
    const nodes = await render(centre);
    byId(section).hidden = !nodes.length;
    byId(section).querySelector(":scope > div")!.replaceChildren(...nodes);
  }
  byId("refused").textContent = centre.refused.length ? `${words().partly} ${centre.refused.join(", ")}` : "";
}

async function reload(person = found?.person?.id ?? null): Promise<void> {
  found = await load(found!.session, person);
  await show();
}

async function done(told: string, section: string): Promise<void> {
  await reload();
  byId(`${section}-title`).focus();
  tell(told);
}

async function choose(person: Person): Promise<void> {
  await reload(person.id);
  byId("person").querySelector("select")!.focus();
}

/** A guardian's wards, to choose from; whoever has nobody but themselves is not asked. */
function showPeople({ session, people, person, choose }: Centre): Node[] {
  if (!session.asGuardian) return [];
  if (!people.length) return [el("p", { class: "quiet" }, words().noWards)];
  const list = select(new Map(people.map((one) => [one.id, one.name ?? words().notShown])));
  list.value = person!.id;
  list.addEventListener("change", () => choose(people.find((one) => one.id === list.value)!).catch(fail));
  return [field("user", words().ward, list)];
}

function logInForm(): HTMLFormElement {
  const identifier = el("input", { type: "text", autocomplete: "username" });
  const password = el("input", { type: "password", autocomplete: "current-password" });
  const code = el("input", { type: "text", inputmode: "numeric", autocomplete: "one-time-code" });
  const newPassword = el("input", { type: "password", autocomplete: "new-password" });
  const guardian = el("input", { type: "checkbox" });
  /** What is asked for only when the API wants it, by the problem that says so. */
  const more = el("div");
  const asked = { CODE_REQUIRED: field("code", words().code, code), PASSWORD_CHANGE_REQUIRED: field("newPassword", words().newPassword, newPassword) };

  const logIn = async () => {
    const input: LogInInput = { identifier: identifier.value, password: password.value, role: guardian.checked ? "GUARDIAN" : "CUSTOMER" };
    if (code.value) input.code = code.value;
    if (newPassword.value) input.newPassword = newPassword.value;
    const session = await Session.open(input).catch((error: unknown) => {
      const box = error instanceof ProblemError ? asked[error.problem.code as keyof typeof asked] : undefined;
      if (box) more.append(box);
      throw error;
    });
    found = await load(session, null);
    await show();
    byId("notices-title").focus();
    tell(words().loggedIn);
  };
  return form(
    { id: "login-form" },
    logIn,
    field("identifier", words().identifier, identifier),
    field("password", words().password, password),
    more,
    el("label", { class: "choice" }, guardian, words().asGuardian),
    el("div", { class: "row" }, el("button", { class: "main" }, words().logIn)),
  );
}

function switchLanguage(): void {
  speak(other());
  nameOther();
  tell("");
  show().catch(fail);
}

function nameOther(): void {
  const button = byId("language");
  button.textContent = other() === "en" ? "English" : "中文";
  button.lang = other();
}

async function logOut(): Promise<void> {
  const { session } = found!;
  found = null;
  await show();
  byId("login-title").focus();
  tell(words().loggedOut);
  await session.close();
}

byId("language").addEventListener("click", switchLanguage);
byId("log-out").addEventListener("click", () => logOut().catch(fail));
speak();
nameOther();
await show();
