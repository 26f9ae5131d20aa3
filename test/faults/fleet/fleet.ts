import type { ClientPlan } from "./client-plan.js";
import { createClient, type Client, type Message, type Resync, type Subscription } from "@bellwire/client";
import { connectToken } from "../../support/tokens.js";
import { EventClient } from "./event-client.js";
import { epochOf, type ClientRecord, type FleetRecord, type SubscriptionRecord } from "../record.js";

/** Quick, so that a round is not spent on waiting; the jitter is the client's own. */
const DELAYS = [100, 200, 400, 800, 1500];

interface Held {
  readonly plan: ClientPlan["subscriptions"][number];
  readonly record: SubscriptionRecord;
  subscription: Subscription;
}

interface Member {
  readonly plan: ClientPlan;
  readonly client: Client;
  readonly held: Held[];
  startingOver: boolean;
}

const NOTHING_YET = { confirmed: undefined, ended: undefined, error: undefined } as const;

/** Real clients of the client package, others of server-sent events, and a record of all that they hear. */
export class Fleet {
  readonly #members = new Map<string, Member>();
  readonly #streams = new Map<string, EventClient>();
  readonly #record: { clients: ClientRecord[]; subscriptions: SubscriptionRecord[] } = { clients: [], subscriptions: [] };

  get record(): FleetRecord {
    return this.#record;
  }

  add(plan: ClientPlan): void {
    const record: ClientRecord = { client: plan.client, site: plan.site, states: [], errors: [] };
    this.#record.clients.push(record);
    if (plan.wire === "events") return this.#stream(plan, record);
    const { site, url, appKey } = plan;
    const claims = { site, sub: plan.client, sid: `session of ${plan.client}`, grants: [{ topic: "*" }] };
    const client = createClient({
      url,
      site,
      linger: 0,
      reconnect: { delays: DELAYS },
      getConnectionToken: () => connectToken(appKey, claims),
      onError: (error) => {
        record.errors.push(`${Date.now()} ${error.message}`);
        if (record.errors.length > 50) record.errors.shift();
      },
    });
    client.onState((state) => void record.states.push({ state, at: Date.now() }));
    const member: Member = { plan, client, held: [], startingOver: false };
    this.#members.set(plan.client, member);
    for (const one of plan.subscriptions) member.held.push(this.#subscribe(member, one));
    if (!plan.recovery) client.onState((state) => state === "waiting" && this.#startOver(member));
  }

  #stream(plan: ClientPlan, record: ClientRecord): void {
    const { client, site } = plan;
    const held = plan.subscriptions.map(({ topic, filter }): SubscriptionRecord => ({
      client,
      site,
      topic,
      filter,
      asked: Date.now(),
      ...NOTHING_YET,
      heard: [],
    }));
    this.#record.subscriptions.push(...held);
    this.#streams.set(client, new EventClient(plan, record, held));
  }

  #subscribe({ plan: { client: name, site }, client }: Member, plan: Held["plan"]): Held {
    const { topic, filter } = plan;
    const record: SubscriptionRecord = { client: name, site, topic, filter, asked: Date.now(), ...NOTHING_YET, heard: [] };
    this.#record.subscriptions.push(record);
    return { plan, record, subscription: open(client, plan, record) };
  }

  /** What a program without recovery does: subscribes as if for the first time. */
  #startOver(member: Member): void {
    if (member.startingOver) return;
    member.startingOver = true;
    const { client } = member;
    const held = member.held.filter(({ record }) => record.ended === undefined);
    for (const { subscription } of held) subscription.unsubscribe();
    setTimeout(() => {
      member.startingOver = false;
      for (const one of held) one.subscription = open(client, { ...one.plan, replay: false }, one.record);
    }, 20);
  }

  /** Ends one subscription of a client. */
  end(client: string, index: number): void {
    this.#streams.get(client)?.end(index);
    const held = this.#members.get(client)?.held[index];
    if (held === undefined || held.record.ended !== undefined) return;
    held.subscription.unsubscribe();
    held.record.ended = Date.now();
  }

  close(): void {
    for (const { client } of this.#members.values()) client.close();
    for (const stream of this.#streams.values()) stream.close();
  }
}

function open(client: Client, { topic, filter, replay }: Held["plan"], record: SubscriptionRecord): Subscription {
  const hear = (event: Message | Resync): void => {
    const at = Date.now();
    if (event.resync === true) record.heard.push({ kind: "resync", at, topic: event.topic });
    else {
      const { topic, epoch, offset, time, data, replay } = event;
      record.heard.push({ kind: "message", at, topic, epoch: epochOf(epoch), offset, time, data, replay });
    }
  };
  const subscription = client.subscribe(topic, filter as never, hear, { replay, onError: (error) => (record.error = error.message) });
  subscription.ready.then(
    () => (record.confirmed ??= Date.now()),
    () => undefined, // ended first, or refused: `onError` has told
  );
  return subscription;
}
