import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Servers listen on loopback only, because they have no other protection. */
export const LOOPBACK = "127.0.0.1";

export interface Listening {
  url: string;
  port: number;
  /** Stops accepting connections. Cuts running requests after `grace` milliseconds. @default 0 */
  close(grace?: number): Promise<void>;
}

/** Binds a server to loopback. `port` 0 = any free port. Rejects with Node's `EADDRINUSE` when the port is in use. */
export function listen(server: Server, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => {
      server.off("error", reject);
      const bound = (server.address() as AddressInfo).port;
      resolve({ url: `http://${LOOPBACK}:${bound}`, port: bound, close: (grace = 0) => close(server, grace) });
    });
  });
}

function close(server: Server, grace: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), grace);
    // A keep-alive connection whose request ends later becomes idle only then.
    const idle = setInterval(() => server.closeIdleConnections(), 20);
    server.close(() => {
      clearTimeout(timer);
      clearInterval(idle);
      resolve();
    });
  });
}
