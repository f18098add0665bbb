import type { RecordedEvent } from "./account.ts";
import { type Account, type AfterRetries, API_VERSION, type Books, emptyBooks, newId } from "./account.ts";
import { nextDue } from "./due.ts";
import { shown } from "./shown.ts";

export interface AccountOptions {
  /** Address of its pages. */
  url?: string;
  /** What there was before. */
  books?: Books;
  /** Seconds since 1970: its time stands still until it is advanced. Default: it goes with the machine's. */
  startsAt?: number;
  /** How far its time is ahead of the machine's, in seconds. */
  ahead?: number;
  afterRetries?: AfterRetries;
  /** Is told of each event. */
  onEvent?: (event: RecordedEvent) => void;
}

/** An account, and the hand on its clock. */
export interface ClockedAccount {
  account: Account;
  /** Lets time pass, with everything that happens meanwhile: trials end, periods are billed, payments retried. */
  advance(seconds: number): void;
  /** Lets happen what is due by now. Without a change it is looked for once a second at most. */
  catchUp(changed: boolean): void;
  readonly ahead: number;
}

export function createAccount(options: AccountOptions): ClockedAccount {
  const { url = "http://stripe.invalid", books = emptyBooks(), onEvent = () => {} } = options;
  let ahead = options.ahead ?? 0;
  let standing = options.startsAt;
  /** While something that was due happens, it is the time at which it was. */
  let happening: number | undefined;
  let caughtUp = 0;
  const present = () => standing ?? Math.floor(Date.now() / 1000) + ahead;

  const account: Account = {
    books,
    url,
    afterRetries: options.afterRetries ?? "canceled",
    now: () => happening ?? present(),
    emit(type, object, previous) {
      const event = {
        id: newId("evt"),
        object: "event",
        api_version: API_VERSION,
        created: account.now(),
        data: { object: shown(object), ...(previous && { previous_attributes: previous }) },
        livemode: false,
        pending_webhooks: 1,
        request: { id: null, idempotency_key: null },
        type,
      };
      const recorded = { id: event.id, type, created: event.created, body: JSON.stringify(event, null, 2) };
      books.events.push(recorded);
      onEvent(recorded);
    },
  };

  function catchUp(changed: boolean) {
    if (!changed && caughtUp === present()) return;
    caughtUp = present();
    try {
      for (let due = nextDue(account); due && due.at <= caughtUp; due = nextDue(account)) {
        happening = due.at;
        due.happen();
      }
    } finally {
      happening = undefined;
    }
  }

  return {
    account,
    catchUp,
    advance(seconds) {
      if (standing === undefined) ahead += seconds;
      else standing += seconds;
      catchUp(true);
    },
    get ahead() {
      return ahead;
    },
  };
}
