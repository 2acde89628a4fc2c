import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Loopback only: what runs here has no protection but that. */
export const LOOPBACK = "127.0.0.1";

export interface Listening {
  url: string;
  port: number;
  /** Stops accepting, and waits at most so many milliseconds (@default 0) for requests under way before it cuts them. */
  close(grace?: number): Promise<void>;
}

/** Binds a server to loopback. `port` 0 = any free one. Rejects with Node's `EADDRINUSE` when it is taken. */
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
    // A connection is kept alive when its request ends after this; it has nothing more to say.
    const idle = setInterval(() => server.closeIdleConnections(), 20);
    server.close(() => {
      clearTimeout(timer);
      clearInterval(idle);
      resolve();
    });
  });
}
