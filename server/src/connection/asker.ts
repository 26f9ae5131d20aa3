import type { Asker } from "../hooks/hooks.js";

/** A connection as the backend hears of it. */
export function askerOf(
  connection: Omit<Asker, "connection" | "info"> & { readonly id: string; readonly permit: { readonly info: unknown } },
): Asker {
  const { site, user, session, client, id, headers, permit } = connection;
  return { site, user, session, client, connection: id, headers, info: permit.info };
}
