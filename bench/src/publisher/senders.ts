import { createEmitter, type SitePublisher } from "@bellwire/emitter";
import { Emitter as SocketIoEmitter } from "@socket.io/redis-emitter";
import { Redis } from "ioredis";
import { channelOf, roomOf } from "../load/dialects.js";
import { ONE_SITE } from "../load/plan.js";
import { createCentrifugoSender } from "./centrifugo.js";
import type { PublisherSettings } from "./plan.js";
import type { Send } from "./send.js";

export function createSender(settings: PublisherSettings): Send {
  switch (settings.sender) {
    case "bellwire":
      return createBellwireSender(settings);
    case "socket-io":
      return createSocketIoSender(settings);
    case "ws":
      return createWsSender(settings);
    case "centrifugo":
      return createCentrifugoSender(settings);
  }
}

function createBellwireSender({ redis }: PublisherSettings): Send {
  const emitter = createEmitter({ redis, onError: fail, onNoRelay: () => undefined });
  const sites = new Map<string, SitePublisher>();
  return ({ site = ONE_SITE, topic }, data) => {
    let publisher = sites.get(site);
    if (publisher === undefined) sites.set(site, (publisher = emitter.site(site)));
    return publisher.publish(topic, data);
  };
}

function createSocketIoSender({ redis }: PublisherSettings): Send {
  // The emitter drops the promise of its PUBLISH, so there is nothing to wait for.
  const emitter = new SocketIoEmitter(new Redis(redis, { enableAutoPipelining: true }));
  const taken = Promise.resolve();
  return ({ site, topic, filtered }, data) => {
    const target = site === undefined ? emitter : emitter.of(`/site/${site}`);
    target.to(filtered ? [topic, roomOf({ topic, id: data.id })] : topic).emit("message", data);
    return taken;
  };
}

function createWsSender({ redis }: PublisherSettings): Send {
  const client = new Redis(redis, { enableAutoPipelining: true });
  return ({ site, topic, filtered }, data) =>
    client.publish(channelOf(site, filtered ? { topic, id: data.id } : { topic }), JSON.stringify(data));
}

function fail(error: unknown): void {
  console.error("publisher:", error);
}
