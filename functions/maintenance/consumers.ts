import { createDocuments } from "../_documents/documents.ts";
import { createMailer } from "../_shared/mailer.ts";
import type { Mongo } from "../_shared/mongo.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Consumer } from "./consumer.ts";
import { deleteCustomer } from "./delete-customer.ts";
import { deleteDocuments } from "./delete-documents.ts";
import { forgetConnection } from "./forget-connection.ts";
import { pushSeats } from "./push-seats.ts";
import { stopRenewal } from "./stop-renewal.ts";
import { takeBackSecond } from "./take-back-second.ts";
import { reportMeter } from "./report-meter.ts";
import { sendLimitAlert } from "./send-limit-alert.ts";

/** All consumers, each of its own kind. */
export function outboxConsumers(
  mongo: Mongo,
  stripe: StripeAccount,
  environment: Record<string, string | undefined>,
): Consumer[] {
  return [
    forgetConnection(createDocuments({ mongo }), environment),
    pushSeats(stripe),
    stopRenewal(stripe),
    takeBackSecond(stripe),
    deleteCustomer(stripe),
    reportMeter(stripe),
    sendLimitAlert(() => createMailer(environment)),
    // Last: of a large organization it takes all the time that is left.
    {
      kind: "organization.purged",
      ready: () => Boolean(environment["MONGODB_URI"]),
      consume: (entry, timeIsUp) =>
        mongo.run((database) => deleteDocuments(database, entry.organization_id, timeIsUp)),
    },
  ];
}
