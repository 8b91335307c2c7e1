// An application, from the first word to the policy in force: a customer, an agent, an insurer.
import { data, denied, masked, ProblemError, typed, written } from "./answers.js";
import {
  DraftApplicationDocument,
  MeDocument,
  ReadApplicationDocument,
  RecordPaymentDocument,
  RecordUnderwritingDocument,
  SubmitApplicationDocument,
} from "./generated.js";
import { identityNumber, losing, signUp, withToken } from "./people.js";
import { say } from "./say.js";

export async function apply() {
  const customer = await signUp(losing("SubmitApplication"));
  const agent = withToken("AGENT_TOKEN", "application");
  const insurer = withToken("INSURER_TOKEN", "application");

  const me = data(await customer.query(MeDocument, {})).viewer.user!.id;
  const draft = written(
    await customer.mutation(DraftApplicationDocument, {
      input: {
        productCode: "INS01-ACC",
        agent: "agent01",
        policyholder: {
          details: { name: "陈静", idNumber: identityNumber(), occupation: "教师" },
        },
        insured: { id: me, details: { healthDeclaration: "健康，无既往病史" } },
      },
    }),
  )!;
  const { id } = draft;
  say("customer", `signs up, drafts ${draft.policyNumber} and names an agent: ${draft.status}`);

  try {
    written(await customer.mutation(SubmitApplicationDocument, { input: { id } }));
  } catch (problem) {
    if (!(problem instanceof ProblemError)) throw problem;
    say("customer", "submits too early; the form marks", problem.byField);
  }

  const read = await agent.query(ReadApplicationDocument, { id });
  const { policyholder, version } = data(read).policy!;
  say("agent", `sees ${policyholder!.name}, ${policyholder!.idNumber}; masked: ${masked(read).join(", ")}`);
  say("agent", `denied: ${denied(read).map((one) => `${one.path} (${one.reason})`).join(", ")}`);

  // The form shows the masked number; since nobody typed over it, it is not sent.
  const shown = { idNumber: policyholder!.idNumber, address: policyholder!.address };
  const form = { ...shown, address: "上海市浦东新区世纪大道一百号", bankCard: "6222020200112230", email: "chen@example.com" };
  const completed = written(
    await agent.mutation(DraftApplicationDocument, {
      input: {
        id,
        ifVersion: version,
        policyholder: { details: typed(shown, form) },
        beneficiaries: [
          { name: "陈大山", idNumber: identityNumber(), phone: "13711112222", relation: "PARENT", order: 1, share: "60" },
          { name: "李强", idNumber: identityNumber(), phone: "13733334444", relation: "SPOUSE", order: 1, share: "40" },
        ],
        sumInsured: "500000",
      },
    }),
  )!;
  say("agent", `adds the rest: version ${completed.version}`);

  const submitted = written(await customer.mutation(SubmitApplicationDocument, { input: { id } }))!;
  say("customer", `submits, loses the answer and asks again: ${submitted.status}, version ${submitted.version}`);

  written(await insurer.mutation(RecordUnderwritingDocument, { input: { id, outcome: "BEGIN" } }));
  const examined = data(await insurer.query(ReadApplicationDocument, { id })).policy!;
  say("insurer", `examines ${examined.policyholder!.name}: ${examined.insured!.healthDeclaration}`);
  const accepted = written(
    await insurer.mutation(RecordUnderwritingDocument, { input: { id, outcome: "ACCEPT", premium: "1280.50" } }),
  )!;
  say("insurer", `accepts for ${accepted.premium} yuan: ${accepted.status}`);

  const today = new Date();
  const days = [today, new Date(today.getTime() + 364 * 86_400_000)];
  const [startsOn, endsOn] = days.map((day) => day.toLocaleDateString("sv", { timeZone: "Asia/Shanghai" }));
  const paid = written(
    await insurer.mutation(RecordPaymentDocument, { input: { id, startsOn: startsOn!, endsOn: endsOn! } }),
  );
  say("insurer", `records the payment; an application no more, it is ${paid} to them under this purpose`);

  const policy = data(await customer.query(ReadApplicationDocument, { id })).policy!;
  say("customer", `has ${policy.policyNumber}: ${policy.status} from ${policy.startsOn}`);
  return { customer, policy };
}
