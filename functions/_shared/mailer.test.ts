import assert from "node:assert/strict";
import { createMailer, createSmtpMailer, type Mail } from "./mailer.ts";
import { closedPort, startSmtpServer } from "./testing.ts";

const mail: Mail = {
  to: "grace@example.com",
  subject: "Ada invites you to Größe & Söhne",
  text: "Hello,\n\n.a line that begins with a dot\nGrüße\n",
};
const mailerFor = (port: number) =>
  createSmtpMailer({ url: `smtp://127.0.0.1:${port}`, from: "Nectar <no-reply@example.com>" });

Deno.test("a mail arrives as it was written", async () => {
  await using server = startSmtpServer();
  await mailerFor(server.port).send(mail);
  const [received] = server.mails;
  assert.deepEqual(received?.recipients, ["grace@example.com"]);
  assert.equal(received?.sender, "no-reply@example.com");
  assert.match(received?.data ?? "", /^From: Nectar <no-reply@example\.com>\r\nTo: grace@example\.com\r\n/m);
  assert.match(received?.data ?? "", /^Subject: =\?UTF-8\?/m);
  assert.match(received?.data ?? "", /Gr=C3=BC=C3=9Fe|Grüße/);
});

Deno.test("no header comes in by the subject, no recipient by the address", async () => {
  await using server = startSmtpServer();
  const mailer = mailerFor(server.port);
  await mailer.send({ ...mail, subject: "Hello\r\nBcc: eve@example.com\u2028X-Y: z" });
  for (
    const to of [
      "grace@example.com, eve@example.com",
      "grace@example.com\r\nBcc: eve@example.com",
      "Grace <grace@example.com>",
      '"a,b"@example.com',
      "eve;grace@example.com",
      "grace",
      "",
    ]
  ) {
    await assert.rejects(mailer.send({ ...mail, to }), /address is not one/);
  }
  assert.equal(server.mails.length, 1);
  assert.deepEqual(server.mails[0]?.recipients, ["grace@example.com"]);
  const [headers = ""] = (server.mails[0]?.data ?? "").split("\r\n\r\n");
  assert.doesNotMatch(headers, /^(bcc|x-y):/im);
  assert.match(headers, /^Subject: Hello Bcc: eve@example\.com X-Y: z$/m);
});

// On Deno 2.1 the socket of a refused connection keeps its timer until that runs out.
Deno.test({
  name: "a server that is away or refuses is a failure",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await assert.rejects(mailerFor(closedPort()).send(mail));
    await using server = startSmtpServer({ refuse: true });
    await assert.rejects(mailerFor(server.port).send(mail));
    assert.deepEqual(server.mails, []);
  },
});

Deno.test("mails go where the environment says: nowhere, to the log, or out", async () => {
  const written: string[] = [];
  const write = (text: string) => void written.push(text);
  assert.equal(createMailer({}, write), undefined);
  assert.equal(createMailer({ NECTAR_CONSOLE_MAIL: "0" }, write), undefined);

  const development = createMailer({ NECTAR_CONSOLE_MAIL: "1" }, write);
  assert.equal(development?.delivers, false);
  await development?.send(mail);
  assert.deepEqual(written, [`✉ to ${mail.to}: ${mail.subject}\n${mail.text}`]);

  const smtp = { SMTP_URL: "smtps://u:p@mail.example.com", NECTAR_CONSOLE_MAIL: "1" };
  assert.throws(() => createMailer(smtp, write), /^Error: MAIL_FROM is missing/);
  assert.equal(createMailer({ ...smtp, MAIL_FROM: "no-reply@example.com" }, write)?.delivers, true);
});
