// Plays one of the two stories: node dist/play.js application | claim
import { apply } from "./application.js";
import { claim } from "./claim.js";

const stories = { application: apply, claim };
const name = process.argv[2];
if (name !== "application" && name !== "claim") throw new Error("Name a story: application or claim.");
await stories[name]();
