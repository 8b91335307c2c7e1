// A claim, from the report to the payment: the customer, a claims handler, the insurer.
import { apply } from "./application.js";
import { data, denied, masked, ProblemError, written } from "./answers.js";
import {
  AssignClaimDocument,
  CloseClaimDocument,
  DraftClaimDocument,
  ReadClaimDocument,
  RecordClaimDecisionDocument,
  RecordClaimPaymentDocument,
  RequestMaterialsDocument,
  SubmitClaimDocument,
} from "./generated.js";
import { withToken } from "./people.js";
import { say } from "./say.js";

export async function claim() {
  const { customer, policy } = await apply();
  const handler = withToken("HANDLER_TOKEN", "claim_handling");
  const insurer = withToken("INSURER_TOKEN", "claim_handling");

  const draft = written(
    await customer.mutation(DraftClaimDocument, {
      input: { policy: policy.id, incidentDate: policy.startsOn!, hospital: "上海市第一人民医院" },
    }),
  )!;
  const { id } = draft;
  say("customer", `begins claim ${draft.claimNumber}: ${draft.status}`);

  const complete = {
    id,
    incidentDescription: "骑车时摔倒，右手撑地",
    occupation: "教师",
    bankCard: "6222020200112230",
    diagnosis: "右桡骨远端骨折",
    medicalRecord: "门诊号 20331",
    expenses: "4200.00",
    amountClaimed: "4000.00",
  };
  for (const input of [{ id, incidentDescription: "付款用的卡，CVV 是 123" }, complete]) {
    try {
      const added = written(await customer.mutation(DraftClaimDocument, { input }))!;
      say("customer", `adds what is needed: version ${added.version}`);
    } catch (problem) {
      if (!(problem instanceof ProblemError)) throw problem;
      say("customer", "writes what is never collected; the form marks", problem.byField);
    }
  }
  const reported = written(await customer.mutation(SubmitClaimDocument, { input: { id } }))!;
  say("customer", `reports it: ${reported.status}`);

  const before = await handler.query(ReadClaimDocument, { id });
  say("handler", `sees ${data(before).claim!.policy!.policyholder!.name}; denied: ${denied(before).map((one) => one.path).join(", ")}`);
  const taken = written(await handler.mutation(AssignClaimDocument, { input: { id, handler: "handler01" } }))!;
  const after = await handler.query(ReadClaimDocument, { id });
  say("handler", `takes it (${taken.status}) and sees: ${data(after).claim!.diagnosis}; masked: ${masked(after).join(", ")}`);

  const asked = written(
    await handler.mutation(RequestMaterialsDocument, { input: { id, items: ["MEDICAL_RECORD"] } }),
  )!;
  say("handler", `asks for ${asked.requestedItems.join(", ")}: ${asked.status}`);
  written(await customer.mutation(DraftClaimDocument, { input: { id, medicalRecord: "住院号 7731；X 光片 2 张" } }));
  const handedIn = written(await customer.mutation(SubmitClaimDocument, { input: { id } }))!;
  say("customer", `hands it in: ${handedIn.status}`);

  const decided = written(
    await insurer.mutation(RecordClaimDecisionDocument, { input: { id, decision: "APPROVE" } }),
  )!;
  say("insurer", `decides: ${decided.status}`);
  const paid = written(await insurer.mutation(RecordClaimPaymentDocument, { input: { id, amount: "3800.00" } }))!;
  say("insurer", `pays: ${paid.status}`);
  const closed = written(await handler.mutation(CloseClaimDocument, { input: { id } }))!;
  say("handler", `closes it: ${closed.status}`);

  const over = data(await customer.query(ReadClaimDocument, { id })).claim!;
  say("customer", `got ${over.amountPaid} yuan: ${over.status}`);
}
