import { asObject, type BellwireError } from "@bellwire/protocol";
import { createRelay, refuse, type HookContext, type RelayInProcess, type RelayInProcessOptions } from "@bellwire/server";
import type { People } from "./people.js";
import { RateLimit } from "./rate-limit.js";
import { isRoom, parseLine, roomOf, type Rooms } from "./rooms.js";

/** The one site that there is. */
export const SITE = "chat";

export interface RealtimeParts extends Pick<RelayInProcessOptions, "server" | "env" | "logger"> {
  readonly people: People;
  readonly rooms: Rooms;
  /** Told of every question that the relay asks. */
  readonly log: (line: string) => void;
}

/** The relay in this process, and all that it asks the application. */
export function createRealtime({ people, rooms, log, ...rest }: RealtimeParts): RelayInProcess {
  const speaking = new RateLimit(8, 2);
  const calling = new RateLimit(20, 5);
  const relay = createRelay({
    ...rest,
    settings: {
      hooks: { headers: ["cookie"] },
      topics: { "room.*": { publish: true, presence: true } },
    },
    hooks: {
      connect: ({ site, headers }) => {
        const person = site === SITE ? people.byCookie(headers.cookie) : undefined;
        if (person === undefined) throw refuse("signed-out", "Sign in first");
        return { user: person.id, info: { name: person.name } };
      },
      // Says who it was and when, whatever the page claims.
      publish: ({ user, topic, data }) => {
        const person = people.byId(user);
        if (person === undefined) throw refuse("signed-out", "Sign in first");
        const room = roomOf(topic);
        return { data: { ...rooms.add(room, parseLine(data, person)) } };
      },
    },
    topics: {
      "room.{name}": ({ name }, user) => {
        const person = people.byId(user.id);
        // The info is what others see of them in the room's presence.
        return isRoom(name) && person !== undefined && { info: { name: person.name } };
      },
      // `{id, name}`: somebody has another name now.
      people: () => true,
    },
    interceptors: {
      "*": (context, next) => logged(log, context, next),
      publish: (context, next) => {
        speaking.take(context.user);
        return next();
      },
      rpc: (context, next) => {
        calling.take(context.user);
        return next();
      },
    },
  });

  relay.handle("ping", () => "pong");
  relay.handle("history", ({ data }) => {
    const room = asObject(data)?.room;
    if (!isRoom(room)) throw refuse("no-such-room", "There is no such room");
    return { lines: rooms.lines(room), names: people.names() };
  });
  relay.handle("rename", async ({ user, data }) => {
    const { id, name } = people.rename(user, asObject(data)?.name);
    await relay.emitter.site(SITE).publish("people", { id, name });
    return { name };
  });
  return relay;
}

/** Logs a question, how it went, and how long it took. */
async function logged<Reply>(log: (line: string) => void, context: HookContext, next: () => Promise<Reply>): Promise<Reply> {
  const begin = performance.now();
  const say = (outcome: string): void => log(`${wordsOf(context)}: ${outcome}, ${(performance.now() - begin).toFixed(1)} ms`);
  try {
    const reply = await next();
    say("ok");
    return reply;
  } catch (error) {
    const { code, message, reason } = error as Partial<BellwireError>;
    say(`${code ?? "disconnect"} (${reason?.message ?? message})`);
    throw error;
  }
}

/** E.g. "publish room.lobby by x7Yt". */
function wordsOf(context: HookContext): string {
  const what = "topic" in context ? ` ${context.topic}` : "method" in context ? ` ${context.method}` : "";
  return `${context.event}${what}${context.user === "" ? "" : ` by ${context.user}`}`;
}
