// Elements, made of text: nothing that anybody typed is ever read as HTML.
import { ProblemError } from "../answers.js";
import { words } from "./words.js";

type Attributes = Record<string, string | boolean | null>;
type Child = Node | string | null;

export function el<Name extends keyof HTMLElementTagNameMap>(name: Name, attributes: Attributes = {}, ...children: Child[]) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(attribute, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export const byId = <E extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as E;

/** A button; while what it does is under way, it does not do it again. */
export function button(text: string, act: () => Promise<void> | void, attributes: Attributes = {}): HTMLButtonElement {
  const made = el("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", () => busy(made, act));
  return made;
}

/** A form, and what submitting it does. What the API has against it is shown beside the fields. */
export function form(attributes: Attributes, act: () => Promise<void>, ...children: Child[]): HTMLFormElement {
  const made = el("form", { novalidate: true, ...attributes }, ...children, el("p", { class: "wrong", role: "alert" }));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    void busy(made.querySelector<HTMLButtonElement>("button.main")!, async () => {
      clear(made);
      try {
        await act();
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        mark(made, error);
      }
    });
  });
  return made;
}

/** A labelled control. `name` is the API's name of the field, by which a problem finds it. */
export function field(name: string, label: string, control: HTMLInputElement | HTMLSelectElement, hint?: string): HTMLElement {
  control.id ||= unique(name);
  return el("div", { "data-field": name }, el("label", { for: control.id }, label), hinted(control, hint), control);
}

/** Check boxes that belong together. */
export function choices(name: string, legend: string, labels: ReadonlyMap<string, string>, hint?: string): HTMLFieldSetElement {
  const made = el("fieldset", { "data-field": name }, el("legend", {}, legend));
  made.append(hinted(made, hint));
  for (const [value, label] of labels) {
    made.append(el("label", { class: "choice" }, el("input", { type: "checkbox", name, value }), label));
  }
  return made;
}

export const select = (labels: ReadonlyMap<string, string>) => el("select", {}, ...options(labels));

export const options = (labels: ReadonlyMap<string, string>) => [...labels].map(([value, label]) => el("option", { value }, label));

/** Names and values, as a list; what has no value is left out. */
export function facts(...pairs: [string, Child][]): HTMLElement {
  return el("dl", {}, ...pairs.flatMap(([name, value]) => (value ? [el("dt", {}, name), el("dd", {}, value)] : [])));
}

/** What was just done, said to everybody: screen readers read it out. */
export function tell(text: string): void {
  byId("failed").textContent = "";
  byId("told").textContent = text;
}

/** What went wrong with the request as a whole. */
export function fail(error: unknown): void {
  byId("told").textContent = "";
  const said = error instanceof ProblemError ? problemText(error) : error instanceof Error ? error.message : String(error);
  byId("failed").replaceChildren(words().failed, " ", el("span", { lang: "en" }, said));
}

let made = 0;
const unique = (name: string) => `${name}-${++made}`;

function hinted(control: HTMLElement, hint?: string): HTMLElement {
  const shown = el("p", { class: "quiet", id: unique("hint"), hidden: !hint }, hint ?? "");
  if (hint) control.setAttribute("aria-describedby", shown.id);
  return shown;
}

async function busy(by: HTMLButtonElement, act: () => Promise<void> | void): Promise<void> {
  if (by.getAttribute("aria-disabled") === "true") return;
  by.setAttribute("aria-disabled", "true");
  try {
    await act();
  } catch (error) {
    fail(error);
  } finally {
    by.removeAttribute("aria-disabled");
  }
}

function problemText({ problem }: ProblemError): string {
  return [`${problem.code}: ${problem.message}`, problem.consequence].filter(Boolean).join(" ");
}

/** The problem, beside the field it names and read out; without one, at the form's end. */
function mark(within: HTMLFormElement, error: ProblemError): void {
  for (const name of error.byField.keys()) {
    const found = within.querySelector<HTMLElement>(`[data-field="${CSS.escape(name)}"]`);
    const said = el("span", { lang: "en" }, problemText(error));
    if (!found) {
      within.querySelector(":scope > .wrong")!.append(said);
      continue;
    }
    const shown = el("p", { class: "wrong", id: unique("wrong") }, said);
    found.append(shown);
    const control = found instanceof HTMLFieldSetElement ? found : found.querySelector<HTMLElement>("input, select")!;
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", shown.id);
    (control instanceof HTMLFieldSetElement ? control.querySelector("input") : control)?.focus();
  }
}

function clear(within: HTMLFormElement): void {
  for (const shown of within.querySelectorAll("[data-field] > .wrong")) shown.remove();
  for (const control of within.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  within.querySelector(":scope > .wrong")!.textContent = "";
}
