/** A publisher in a process of its own, which can be killed in the middle of a publish. Talks to `killable.ts`. */
import { createEmitter } from "@bellwire/emitter";
import type { Content, Place } from "../record.js";

export interface Order {
  readonly content: Content;
  readonly idempotencyKey: string;
}

export interface Outcome {
  readonly n: number;
  readonly place: Place | undefined;
}

const emitter = createEmitter({ redis: process.argv[2] as string, onNoRelay: () => undefined, onError: () => undefined });

process.on("message", ({ content, idempotencyKey }: Order) => {
  const answer = (place: Place | undefined): void => void process.send?.({ n: content.n, place } satisfies Outcome);
  emitter
    .site(content.site)
    .publish(content.topic, content, { idempotencyKey })
    .then(
      (place) => answer(place ?? undefined),
      () => answer(undefined),
    );
});
process.on("disconnect", () => process.exit(0));
