// One readable line for each thing that happens.
export function say(who: string, what: string, byField?: ReadonlyMap<string, string>): void {
  console.log(`${who.padEnd(9)} ${what}`);
  for (const [field, message] of byField ?? []) console.log(`${" ".repeat(12)}${field}: ${message}`);
}
