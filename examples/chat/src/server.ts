import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { asObject, BellwireError } from "@bellwire/protocol";
import { toNodeHandler } from "@bellwire/emitter";
import type { Environment, Logger, RelayInProcess } from "@bellwire/server";
import { readText } from "./body.js";
import { servePage } from "./page-files.js";
import { People } from "./people.js";
import { createRealtime, SITE } from "./realtime.js";
import { Rooms } from "./rooms.js";

export interface ChatOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** Default `127.0.0.1`: whoever reaches the demo can be anybody. */
  readonly host?: string;
  /** The relay's settings as environment variables. Default: `process.env`. */
  readonly env?: Environment;
  /** The relay's own log. */
  readonly logger?: Logger;
  /** Told of every question that the relay asks. Default: nobody. */
  readonly log?: (line: string) => void;
}

export interface ChatServer {
  /** Where the page is, e.g. `http://localhost:6202`. */
  readonly url: string;
  close(): Promise<void>;
}

const MAX_BODY = 4096;

/** Starts the application and the relay, on one port and in one process. Rejects where an option is wrong or the port is taken. */
export async function startChat({ port, host = "127.0.0.1", env = process.env, logger, log = ignore }: ChatOptions): Promise<ChatServer> {
  const people = new People();
  const server = createServer(toNodeHandler((request) => route(request, people, () => relay)));
  server.listen(port, host);
  await once(server, "listening");
  const { port: taken } = server.address() as AddressInfo;
  const url = `http://localhost:${taken}`;

  const relay = createRealtime({ server, env: { REALTIME_PUBLIC_URL: url, ...env }, logger, people, rooms: new Rooms(), log });
  await relay.start();
  return {
    url,
    close: async () => {
      await relay.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function route(request: Request, people: People, relay: () => RelayInProcess): Promise<Response> {
  const { pathname } = new URL(request.url);
  const cookies = request.headers.get("cookie");
  try {
    switch (`${request.method} ${pathname}`) {
      case "GET /api/me": {
        const person = people.byCookie(cookies);
        if (person === undefined) throw new BellwireError("token-missing", "Sign in first");
        return Response.json(person);
      }
      case "POST /api/session": {
        const { person, cookie } = people.signIn((await readJson(request)).name);
        return Response.json(person, { headers: { "set-cookie": cookie } });
      }
      case "DELETE /api/session": {
        const { person, cookie } = people.signOut(cookies);
        // Closes the person's other tabs: a connection that is open is not asked for its cookie again. The emitter tells of failures.
        if (person !== undefined) await relay().emitter.site(SITE).user(person.id).revoke().catch(ignore);
        return Response.json({}, { headers: { "set-cookie": cookie } });
      }
    }
    const page = request.method === "GET" ? await servePage(pathname) : undefined;
    return page ?? failure(new BellwireError("not-found", "There is nothing here"));
  } catch (error) {
    if (error instanceof BellwireError) return failure(error);
    console.error(error);
    return failure(new BellwireError("internal", "The chat failed"));
  }
}

async function readJson(request: Request): Promise<Record<string, unknown>> {
  // A form on a foreign page can't send this type, and so can't act for whoever is signed in.
  if (!request.headers.get("content-type")?.startsWith("application/json")) throw new BellwireError("bad-request", "Send JSON");
  const text = await readText(request, MAX_BODY);
  let body: Record<string, unknown> | undefined;
  try {
    body = asObject(JSON.parse(text));
  } catch {
    // said below
  }
  if (body === undefined) throw new BellwireError("bad-request", "Send a JSON object");
  return body;
}

function failure(error: BellwireError): Response {
  return Response.json({ error }, { status: error.status });
}

function ignore(): void {}
