import type { SupabaseContext } from "@supabase/server";
import { z } from "zod";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { type Mail, type Mailer, nameInMail } from "../_shared/mailer.ts";
import type { Consumer } from "./consumer.ts";

const alert = z.object({
  user_id: z.guid(),
  metric: z.string(),
  threshold: z.number(),
  used: z.number(),
  quota: z.number(),
  overage: z.boolean(),
  period_end: z.string(),
});

type Alert = z.infer<typeof alert>;

const DAY = 86_400_000;

/** Tells one person that a limit is near or reached; nothing, if they have left meanwhile, or the month is long over. */
export const sendLimitAlert = (
  mailer: () => Mailer | undefined,
  clock: () => number = Date.now,
): Consumer => ({
  kind: "limits.alert",
  ready() {
    try {
      return mailer() !== undefined;
    } catch {
      // A wrong setting is told by the entries that fail.
      return true;
    }
  },
  async consume({ organization_id, payload }, _timeIsUp, admin: SupabaseContext<Database>["supabaseAdmin"]) {
    const told = alert.parse(payload);
    // It waited for a mail server to be set up.
    if (clock() - Date.parse(told.period_end) > DAY) return true;
    const member = dataOf(
      await admin.from("memberships").select("users(email), organizations(name)")
        .eq("organization_id", organization_id).eq("user_id", told.user_id).eq("active", true).maybeSingle(),
    );
    if (member?.users?.email) {
      await mailer()?.send(limitMail(told, member.users.email, member.organizations.name));
    }
    return true;
  },
});

/** What the person reads. */
export function limitMail(
  { metric, threshold, used, quota, overage, period_end }: Alert,
  to: string,
  name: string,
): Mail {
  const end = period_end.slice(0, 10);
  const consequence = overage
    ? "What goes beyond it is billed by your plan."
    : "What goes beyond it is refused until then.";
  const number = (value: number) => value.toLocaleString("en");
  const organization = nameInMail(name);
  return {
    to,
    subject: `${organization} has used ${threshold} % of this month's ${metric}`,
    text: `Hello,

${organization} has used ${number(used)} of ${
      number(quota)
    } ${metric} of this month's plan: ${threshold} % are passed.

The month ends on ${end} (UTC). ${consequence}

You read this because you own the organization or manage its billing. It is sent once a month for each limit.
`,
  };
}
