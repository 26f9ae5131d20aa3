import type { Client } from "@bellwire/client";
import type { Line } from "../src/rooms.js";
import { composer } from "./composer.js";
import { Conversation, readLine } from "./conversation.js";
import { element } from "./element.js";
import type { Names } from "./names.js";
import { onceMore } from "./once-more.js";
import { PeopleHere } from "./people-here.js";

/** Something said that has not been confirmed yet. */
interface Attempt {
  readonly text: string;
  readonly id: string;
}

export interface Talking {
  readonly client: Client;
  readonly me: string;
  readonly names: Names;
  readonly fail: (error: unknown) => void;
}

/** A room that is open. */
export interface OpenRoom {
  readonly element: HTMLElement;
  /** Draws names anew. */
  draw(): void;
  /** Fetches lines and names again. */
  reload(): void;
  close(): void;
}

/** Opens a room: what was said before comes from the backend by RPC, what is said from now on as messages of the room's topic. */
export function openRoom(room: string, { client, me, names, fail }: Talking): OpenRoom {
  const topic = `room.${room}`;
  const conversation = new Conversation(me, names);
  const people = new PeopleHere(client, topic, me, names);
  const load = onceMore(async () => {
    const { data } = await client.rpc("history", { room });
    const { lines, names: known } = data as { lines: readonly Line[]; names: Readonly<Record<string, string>> };
    for (const [id, name] of Object.entries(known)) names.set(id, name);
    conversation.load(lines);
  }, fail);

  const subscription = client.subscribe(
    topic,
    (message) => {
      const line = message.resync ? undefined : readLine(message.data);
      if (line !== undefined) conversation.add(line);
    },
    { replay: false, onResync: load, onError: fail },
  );
  // After the subscription: what is said from then on comes as messages.
  subscription.ready.then(
    () => {
      load();
      people.start();
    },
    () => undefined, // onError has said it
  );

  let last: Attempt | undefined;
  const say = async (text: string): Promise<void> => {
    // Whoever says the same again after a failure may have been heard the first time: the backend knows by the id.
    last = last?.text === text ? last : { text, id: crypto.randomUUID() };
    await client.publish(topic, { id: last.id, text });
    last = undefined;
  };

  return {
    element: element(
      "div",
      { class: "room" },
      element("section", { class: "talk" }, element("h1", {}, `# ${room}`), conversation.root, composer(room, say)),
      people.root,
    ),
    reload: load,
    draw: () => {
      conversation.draw();
      people.draw();
    },
    close: () => {
      people.close();
      subscription.unsubscribe();
    },
  };
}
