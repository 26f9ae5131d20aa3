import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BellwireError, createEmitter, toNodeHandler, type TokenEndpoint } from "@bellwire/emitter";
import { Api, withCookies } from "./api.js";
import { createHooks, type HookEndpoint } from "./hooks.js";
import { servePage } from "./page-files.js";
import { createRealtime } from "./realtime.js";
import { Sessions } from "./sessions.js";
import { findUser } from "./users.js";

export interface ContactsOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** Default `127.0.0.1`: whoever reaches the demo can be anybody. */
  readonly host?: string;
  /** The relay's APP_KEY, for tokens. */
  readonly appKey: string;
  /** The relay as browsers reach it, e.g. `ws://localhost:6200`. */
  readonly relayUrl: string;
  /** The relay's REALTIME_API_KEY and its HTTP API as this backend reaches it, for publishing. */
  readonly apiKey: string;
  readonly relayHttpUrl: string;
  /**
   * How the relay knows who connects and what they may hear: by tokens of this backend (the default), or by asking it at `/hooks`,
   * each question signed with the secret.
   */
  readonly auth?: "tokens" | { readonly hookSecret: string };
}

export interface ContactsServer {
  /** Where the page is, e.g. `http://localhost:6201`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the demo's backend. Rejects where an option is wrong or the port is taken. */
export async function startContacts(options: ContactsOptions): Promise<ContactsServer> {
  const { port, host = "127.0.0.1", appKey, relayUrl, apiKey, relayHttpUrl, auth = "tokens" } = options;
  const emitter = createEmitter({ url: relayHttpUrl, apiKey });
  const sessions = new Sessions();
  const asked = auth !== "tokens";
  const parts: Parts = {
    api: new Api(sessions, emitter, asked ? { url: relayUrl } : undefined),
    realtime: asked ? undefined : createRealtime(sessions, appKey, relayUrl),
    hooks: asked ? createHooks(sessions, auth.hookSecret) : undefined,
    sessions,
    relayUrl,
  };
  const server = createServer(toNodeHandler((request) => route(request, parts)));
  server.listen(port, host);
  await once(server, "listening");
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, emitter.close()]);
    },
  };
}

interface Parts {
  readonly api: Api;
  readonly realtime: TokenEndpoint | undefined;
  readonly hooks: HookEndpoint | undefined;
  readonly sessions: Sessions;
  readonly relayUrl: string;
}

async function route(request: Request, { api, realtime, hooks, sessions, relayUrl }: Parts): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  try {
    if (pathname === "/realtime" && realtime !== undefined) return await realtime(request);
    if (pathname === "/hooks" && hooks !== undefined) return await hooks(request);
    if (pathname.startsWith("/api/")) return await api.handle(request, pathname);
    const user = findUser(searchParams.get("as"));
    // `/?as=ann` signs in, for trying things out; the page then keeps in its address whom it is for.
    if (pathname === "/" && user !== undefined) {
      return withCookies(
        new Response(null, { status: 302, headers: { location: `/?user=${user.id}` } }),
        sessions.signIn(user, request.headers),
      );
    }
    const page = request.method === "GET" ? await servePage(pathname, relayUrl) : undefined;
    return page ?? failure(new BellwireError("not-found", "There is nothing here"));
  } catch (error) {
    if (error instanceof BellwireError) return failure(error);
    console.error(error);
    return failure(new BellwireError("internal", "The demo failed"));
  }
}

function failure(error: BellwireError): Response {
  return Response.json({ error }, { status: error.status });
}
