import { isIPv6 } from "node:net";
import { mayListen } from "../../deno-socket.ts";
import { ConnectionFailure } from "../../failures.ts";

const uniqueInstance = 0x04;
const reply = 0x05;
const attempts = 3;
const patienceMilliseconds = 1000;

/**
 * Asks the SQL Server Browser at a checked address for the TCP port of an instance ([MC-SQLR]).
 *
 * @returns undefined when nobody answers, or the instance is unknown or has no TCP port.
 * @throws {ConnectionFailure} `runtime_unsupported` where the platform takes no datagrams.
 */
export async function findInstancePort(
  address: string,
  instance: string,
  browserPort: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  // Where it does not, Deno's datagram socket ends the process.
  if (!mayListen()) throw new ConnectionFailure("runtime_unsupported");
  const { createSocket } = await import("node:dgram");
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  const question = Uint8Array.from([uniqueInstance, ...new TextEncoder().encode(instance), 0]);
  try {
    return await new Promise((resolve) => {
      let asked = 0;
      const give = (port?: number) => {
        clearInterval(timer);
        signal.removeEventListener("abort", onAbort);
        resolve(port);
      };
      const onAbort = () => give();
      const ask = () => {
        if (asked++ === attempts || signal.aborted) give();
        else socket.send(question, browserPort, address, (error) => error && give());
      };
      const timer = setInterval(ask, patienceMilliseconds);
      signal.addEventListener("abort", onAbort, { once: true });
      socket.on("error", () => give());
      socket.on("message", (message, from) => {
        // Anybody can send a datagram to this port.
        if (from.address !== address || from.port !== browserPort) return;
        give(tcpPort(message as unknown as Uint8Array, instance));
      });
      ask();
    });
  } finally {
    socket.close();
  }
}

function tcpPort(message: Uint8Array, instance: string): number | undefined {
  if (message[0] !== reply || message.length < 3) return undefined;
  const parts = new TextDecoder("latin1").decode(message.subarray(3)).split(";");
  const value = (key: string) => parts[parts.indexOf(key) + 1];
  if (!parts.includes("tcp") || value("InstanceName")?.toLowerCase() !== instance.toLowerCase()) {
    return undefined;
  }
  const port = Number(value("tcp"));
  return Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined;
}
