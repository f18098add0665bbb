import { AsyncLocalStorage } from "node:async_hooks";
import { createHash, randomInt } from "node:crypto";
import { type RawBuilder, sql } from "kysely";
import type { Db, UserRow } from "./auth-database.ts";

export type MailType = "signup" | "invite" | "magiclink" | "recovery" | "email_change" | "reauthentication";

/** A mail that the auth server would send. */
export interface Mail {
  to: string;
  type: MailType;
  subject: string;
  text: string;
  /** The code to type in (`verifyOtp({ email, token })`). */
  token: string;
  /** What the link carries (`verifyOtp({ token_hash })`). */
  tokenHash: string;
  /** Opens a session and redirects; empty for a reauthentication. */
  link: string;
}

/** What mails of one request need to know; `sent` are held back until its transaction is committed. */
export interface Outbox {
  /** The gateway's URL. */
  url: string;
  redirectTo: string;
  sent: Mail[];
}

export const outboxes = new AsyncLocalStorage<Outbox>();

const SUBJECTS: Record<MailType, string> = {
  signup: "Confirm Your Signup",
  invite: "You have been invited",
  magiclink: "Your Magic Link",
  recovery: "Reset Your Password",
  email_change: "Confirm Email Change",
  reauthentication: "Confirm Reauthentication",
};

export function sendMail(to: string, type: MailType, { token, hash }: OneTimeToken): void {
  const outbox = outboxes.getStore();
  if (!outbox) throw new Error("A mail was written outside a request.");
  const link = type === "reauthentication" ? "" : actionLink(outbox, type, hash);
  const text = `${SUBJECTS[type]}\n\nCode: ${token}\n${link && `Link: ${link}\n`}`;
  outbox.sent.push({ to, type, subject: SUBJECTS[type], text, token, tokenHash: hash, link });
}

export function actionLink({ url, redirectTo }: Outbox, type: string, hash: string): string {
  return `${url}/auth/v1/verify?${new URLSearchParams({ token: hash, type, redirect_to: redirectTo })}`;
}

/** lite's mails, written by us so that their links lead to the gateway. */
export const mailer = {
  async sendConfirmation(to: string, hash: string, token: string) {
    sendMail(to, "signup", { token, hash });
  },
  async sendRecovery(to: string, hash: string, token: string) {
    sendMail(to, "recovery", { token, hash });
  },
  async sendMagicLink(to: string, hash: string, token: string) {
    sendMail(to, "magiclink", { token, hash });
  },
  async sendEmailChange(to: string, hash: string, token: string) {
    sendMail(to, "email_change", { token, hash });
  },
  async sendReauthentication(to: string, token: string, meta?: { tokenHash?: string }) {
    sendMail(to, "reauthentication", { token, hash: meta?.tokenHash ?? "" });
  },
};

export interface OneTimeToken {
  token: string;
  hash: string;
}

/** What lite stores of a code: a hash over the address and the code. */
export const tokenHash = (email: string, token: string): string =>
  createHash("sha256")
    .update(email.toLowerCase() + token)
    .digest("hex");

const COLUMNS = {
  confirmation: ["confirmation_token", "confirmation_sent_at"],
  recovery: ["recovery_token", "recovery_sent_at"],
} as const;

/** Makes a code for the user; the one before it is void. */
export async function makeToken(
  db: Db,
  { id, email }: Pick<UserRow, "id" | "email">,
  purpose: keyof typeof COLUMNS,
): Promise<OneTimeToken> {
  const token = String(randomInt(1_000_000)).padStart(6, "0");
  const hash = tokenHash(email ?? "", token);
  const [column, sentAt]: RawBuilder<unknown>[] = COLUMNS[purpose].map((name) => sql.id(name));
  await sql`update auth.users set ${column} = ${hash}, ${sentAt} = now(), updated_at = now() where id = ${id}`.execute(
    db,
  );
  return { token, hash };
}
