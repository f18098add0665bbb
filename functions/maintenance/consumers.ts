import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { createMailer } from "../_shared/mailer.ts";
import type { Mongo } from "../_shared/mongo.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { OutboxEntry } from "./backend.ts";
import { deleteCustomer } from "./delete-customer.ts";
import { deleteDocuments } from "./delete-documents.ts";
import { pushSeats } from "./push-seats.ts";
import { stopRenewal } from "./stop-renewal.ts";
import { reportMeter } from "./report-meter.ts";
import { sendLimitAlert } from "./send-limit-alert.ts";

/**
 * What is done about one kind of outbox entry. Entries come at least once: a consumer does nothing the second time, and
 * takes up what it left unfinished.
 */
export interface Consumer {
  kind: string;
  /** False where this backend is set up without the store: entries then wait. */
  ready(): boolean;
  /** Resolves to whether all is done; false when the time was up first. */
  consume(
    entry: OutboxEntry,
    timeIsUp: () => boolean,
    admin: SupabaseContext<Database>["supabaseAdmin"],
  ): Promise<boolean>;
}

/** All consumers, each of its own kind. */
export function outboxConsumers(
  mongo: Mongo,
  stripe: StripeAccount,
  environment: Record<string, string | undefined>,
): Consumer[] {
  return [
    {
      kind: "organization.purged",
      ready: () => Boolean(environment["MONGODB_URI"]),
      consume: (entry, timeIsUp) =>
        mongo.run((database) => deleteDocuments(database, entry.organization_id, timeIsUp)),
    },
    pushSeats(stripe),
    stopRenewal(stripe),
    deleteCustomer(stripe),
    reportMeter(stripe),
    sendLimitAlert(() => createMailer(environment)),
  ];
}
