import { isIP } from "node:net";
import { Redis } from "ioredis";
import { isCluster, tlsEverywhere, type RedisClient, type RedisTarget } from "@bellwire/emitter/redis";
import { within } from "@bellwire/emitter/time";

const EVERY_MS = 5000;
const ASK_TIMEOUT_MS = 2000;

/**
 * Asks the Sentinels every 5 s who is master, and tells when that is not whom we are connected to: a demoted master that still
 * answers looks healthy from the inside. Does nothing without Sentinels. Returns how to stop.
 */
export function watchMaster(target: RedisTarget, commands: RedisClient, onOther: (cause: string) => void): () => void {
  if (typeof target === "string" || isCluster(target) || !target.sentinels || !(commands instanceof Redis)) return () => undefined;
  const { sentinelTLS } = tlsEverywhere(target);
  const { sentinels, name, sentinelUsername, sentinelPassword } = target;
  let asking = false;

  const ask = async (): Promise<void> => {
    const connected = commands.status === "ready" ? addressOf(commands) : undefined;
    if (connected === undefined) return;
    for (const { host, port } of sentinels) {
      const sentinel = new Redis({
        host: host ?? "127.0.0.1",
        port: port ?? 26_379,
        ...(sentinelUsername ? { username: sentinelUsername } : {}),
        ...(sentinelPassword ? { password: sentinelPassword } : {}),
        ...(sentinelTLS ? { tls: sentinelTLS } : {}),
        lazyConnect: true,
        connectTimeout: ASK_TIMEOUT_MS,
        retryStrategy: () => null,
        maxRetriesPerRequest: 0,
      } as never);
      sentinel.on("error", () => undefined); // the next one is asked
      try {
        const reply = await within(
          sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name ?? "mymaster"),
          ASK_TIMEOUT_MS,
          "Asking a Sentinel",
        );
        // A Sentinel that speaks in host names can't be compared with the address of a socket.
        if (!Array.isArray(reply) || isIP(String(reply[0])) === 0) continue;
        const master = reply.join(":");
        if (master !== connected && commands.status === "ready" && addressOf(commands) === connected)
          onOther(`Sentinel says that ${master} is master`);
        return;
      } catch {
        // This Sentinel can't tell; another may.
      } finally {
        sentinel.disconnect();
      }
    }
  };

  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    ask().finally(() => {
      asking = false;
    });
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The address that a Sentinel connection has led to. */
function addressOf(redis: Redis): string | undefined {
  const { remoteAddress, remotePort } = (redis as unknown as { stream?: { remoteAddress?: string; remotePort?: number } }).stream ?? {};
  return remoteAddress === undefined ? undefined : `${remoteAddress.replace(/^::ffff:/, "")}:${remotePort}`;
}
