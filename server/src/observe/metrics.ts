import type { FastifyInstance } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { Stats } from "./stats.js";

/** Numbers that are true at the moment they are asked for. */
export interface Gauges {
  readonly connections: () => number;
  readonly subscriptions: () => number;
  readonly sites: () => number;
  readonly feeds: () => number;
  readonly suspendedFeeds: () => number;
  readonly cachedMessages: () => number;
  readonly redisUp: () => number;
}

/** `/metrics` in Prometheus's text form. Counters are read from the relay's own numbers when scraped. */
export function registerMetrics(app: FastifyInstance, stats: Stats, gauges: Gauges): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: `bellwire_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name: `bellwire_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  gauge("connections", "Connections open on this relay", gauges.connections);
  gauge("subscriptions", "Subscriptions open on this relay", gauges.subscriptions);
  gauge("sites", "Sites with a connection on this relay", gauges.sites);
  gauge("feeds", "Topics that this relay listens to", gauges.feeds);
  gauge("feeds_suspended", "Feeds that can't vouch for their head right now", gauges.suspendedFeeds);
  gauge("cached_messages", "Messages in the feeds' memory", gauges.cachedMessages);
  gauge("redis_up", "1 while the log can be read and heard", gauges.redisUp);
  counter("messages_heard", "Messages that came over channels", () => stats.heard);
  counter("deliveries", "Frames with messages written to sockets", () => stats.deliveries);
  counter("gaps", "Breaks in a topic's offsets that were noticed", () => stats.gaps);
  counter("resyncs", "Times a topic's subscribers were told to refetch", () => stats.resyncs);
  counter("garbage", "Payloads and log entries that were no messages", () => stats.garbage);
  counter("published", "Messages published over HTTP", () => stats.published);
  counter("publish_failures", "Publishes over HTTP that failed", () => stats.publishFailures);
  counter("client_published", "Messages published by clients", () => stats.clientPublishes);
  counter("client_publish_failures", "Publishes by clients that failed", () => stats.clientPublishFailures);
  counter("slow_closes", "Sockets closed because they did not read", () => stats.slow);
  new Counter({
    name: "bellwire_refusals_total",
    help: "Errors answered to clients, by code",
    labelNames: ["code"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [code, count] of stats.refused) this.inc({ code }, count);
    },
  });
  new Counter({
    name: "bellwire_hook_questions_total",
    help: "Questions to backends, by event and outcome",
    labelNames: ["event", "outcome"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [name, count] of stats.hooks) {
        const [event = "", outcome = ""] = name.split(" ");
        this.inc({ event, outcome }, count);
      }
    },
  });
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
}
