import { createSocket } from "node:dgram";

export interface BrowserOptions {
  /** TCP port by instance name. */
  instances: Record<string, number>;
  /** Never answers. */
  silent?: boolean;
}

/** The SQL Server Browser: tells the port of a named instance by UDP ([MC-SQLR]). */
export async function startSqlBrowser({ instances, silent = false }: BrowserOptions) {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (request, from) => {
    asked++;
    if (silent) return;
    const name = request[0] === 0x04 ? request.toString("latin1", 1).replace(/\0$/, "") : undefined;
    const found = Object.entries(instances).find(([key]) => key.toLowerCase() === name?.toLowerCase());
    if (!found) return;
    const text = `ServerName;TEST;InstanceName;${found[0]};IsClustered;No;Version;16.0.4100.1;tcp;${found[1]};;`;
    const head = Buffer.from([0x05, text.length & 0xff, text.length >> 8]);
    socket.send(Buffer.concat([head, Buffer.from(text, "latin1")]), from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", resolve);
  });
  return {
    port: socket.address().port,
    asked: () => asked,
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}
