import { readVariable } from "./env.ts";

/** A plain text for one person. */
export interface Mail {
  to: string;
  subject: string;
  text: string;
}

export interface Mailer {
  /** Whether mails reach their readers; false where they only go to the log. */
  delivers: boolean;
  /** Resolves when the mail server has taken the mail. */
  send(mail: Mail): Promise<void>;
}

/** How this backend sends mails, as its environment says; undefined where it does not. */
export function createMailer(
  environment: Record<string, string | undefined>,
  write: (text: string) => void = console.log,
): Mailer | undefined {
  const url = readVariable("SMTP_URL", environment);
  if (url) {
    const from = readVariable("MAIL_FROM", environment);
    if (!from) throw new Error("MAIL_FROM is missing. It goes with SMTP_URL.");
    return createSmtpMailer({ url, from });
  }
  return readVariable("NECTAR_CONSOLE_MAIL", environment) === "1" ? createConsoleMailer(write) : undefined;
}

function createConsoleMailer(write: (text: string) => void): Mailer {
  return {
    delivers: false,
    send: ({ to, subject, text }) => Promise.resolve(write(`✉ to ${to}: ${oneLine(subject)}\n${text}`)),
  };
}

/** What we use of nodemailer, which brings no types. */
interface Nodemailer {
  createTransport(options: Record<string, unknown>): {
    sendMail(mail: Record<string, unknown>): Promise<unknown>;
    close(): void;
  };
}

export function createSmtpMailer({ url, from }: { url: string; from: string }): Mailer {
  return {
    delivers: true,
    async send({ to, subject, text }) {
      if (!oneAddress.test(to)) throw new Error("The mail's address is not one.");
      // Only who sends a mail pays for loading it.
      const { createTransport } = await import("nodemailer") as unknown as Nodemailer;
      const transport = createTransport({
        url,
        connectionTimeout: 5000,
        greetingTimeout: 5000,
        socketTimeout: 10_000,
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      try {
        // As an object, so that it is never parsed as a list of addresses.
        await transport.sendMail({ from, to: { name: "", address: to }, subject: oneLine(subject), text });
      } finally {
        transport.close();
      }
    },
  };
}

const special = String.raw`\s\p{Cc}@,;:<>()\[\]"\\`;
const oneAddress = new RegExp(`^[^${special}]+@[^${special}]+$`, "u");

/** A header is one line: what would end it is no part of it. */
const oneLine = (text: string) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();

/** A name within a mail of ours. It is other people's words: they must not look like paragraphs of ours, or bring links. */
export const nameInMail = (name: string): string =>
  oneLine(name).replace(/\b(https?):\/\//gi, "$1 ").slice(0, 100).trim();
