import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 12_000;
const LAST = 31_999;

/**
 * A free port that stays free while its server is down for a while: it lies below the range from which the system gives ports to
 * connections. A port of that range may be taken by anybody's connection meanwhile, or by that of a client which tries to reach it.
 */
export async function stablePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    const server = createServer().listen(port, "127.0.0.1");
    const free = await Promise.race([once(server, "listening").then(() => true), once(server, "error").then(() => false)]).catch(
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
