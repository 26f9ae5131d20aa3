import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { requires } from "../house/requires.js";
import { read } from "../house/tree.js";
import { EventStream } from "../support/event-stream.js";
import { Balancer, type Kind } from "./balancers.js";
import { type ClientOptions, ReturningClient, TOPIC } from "./client.js";
import { eventually, type RelayProcess, Relays, SITE, statusOf } from "./relays.js";
import { StandIn } from "./stand-in.js";

const TRANSPORTS = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
} as const;

describe("relays behind a balancer", function () {
  this.timeout(30_000);
  for (const kind of ["nginx", "haproxy"] as const) describe(kind, () => behaviour(kind));
});

function behaviour(kind: Kind): void {
  let relays: Relays;
  let balancer: Balancer;
  let clients: ReturningClient[] = [];
  let published = 0;

  before(async function () {
    requires("redis-server", this);
    const program = requires(kind, this);
    relays = await Relays.start(3);
    balancer = await Balancer.start(kind, program, { relays: relays.ports });
  });

  after(async () => {
    await balancer?.stop();
    await relays?.stop();
  });

  beforeEach(() => eventually("the clients of the test before are gone", async () => sum(await relays.connections()) === 0));

  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
  });

  /** Connects clients and waits until they have subscribed. */
  async function connect(count: number, transport: keyof typeof TRANSPORTS, options: Partial<ClientOptions> = {}) {
    const group = Array.from({ length: count }, (_, i) => {
      // As clients of different people would be told apart; see relays.conf.
      const query = { client: `${transport}-${i}` };
      return new ReturningClient({
        url: balancer.url,
        appKey: relays.appKey,
        transports: [...TRANSPORTS[transport]],
        query,
        ...options,
      });
    });
    clients.push(...group);
    await eventually(`${count} clients are there by ${transport}`, () => group.every((client) => client.there));
    return group;
  }

  async function publish(relay: RelayProcess): Promise<number> {
    await relay.publish(relays.apiKey, TOPIC, { n: ++published });
    return published;
  }

  async function disconnect({ internalPort }: RelayProcess, code: string): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${internalPort}/v1/sites/${SITE}/disconnect`, {
      method: "POST",
      headers: { authorization: `Bearer ${relays.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ user: "ann", code }),
    });
    expect(response.status, await response.text()).to.equal(200);
  }

  /** Each client has heard these messages: all of them, once, in order, and was never told to refetch. */
  async function allHear(expected: readonly number[]): Promise<void> {
    await eventually(
      `all hear ${expected.join(", ")}`,
      () => clients.every((client) => client.heard.length >= expected.length),
      15_000,
    ).catch(() => undefined);
    for (const client of clients) {
      expect({ heard: client.heard, resyncs: client.resyncs, trouble: client.trouble }).to.deep.equal({
        heard: expected,
        resyncs: 0,
        trouble: [],
      });
    }
  }

  it("takes the shipped configuration without a word against it", async () => {
    const { good, said } = await balancer.check();
    expect(good, said).to.equal(true);
    expect(said).not.to.match(/warn|emerg|alert/i);
  });

  it("spreads WebSocket clients over all relays, and messages from any relay reach each of them once", async () => {
    await connect(9, "websocket");
    for (const count of await relays.connections()) expect(count).to.be.at.least(2);
    const expected: number[] = [];
    for (const relay of relays.all) expected.push(await publish(relay));
    await allHear(expected);
    for (const client of clients) expect(client.arrivals).to.equal(1);
  });

  it("keeps each long polling session at one relay, and the sessions spread over several", async () => {
    const group = await connect(12, "polling");
    expect((await relays.connections()).filter((count) => count > 0)).to.have.length.above(1);
    const expected: number[] = [];
    for (const relay of relays.all) expected.push(await publish(relay));
    await allHear(expected);
    for (const client of group) expect([client.transport, client.arrivals]).to.deep.equal(["polling", 1]);
  });

  it("keeps long polling clients at one relay that send nothing to be told apart by", async () => {
    const group = await connect(4, "polling", { query: {} });
    const expected = [await publish(relays.all[0] as RelayProcess), await publish(relays.all[1] as RelayProcess)];
    await allHear(expected);
    for (const client of group) expect(client.arrivals).to.equal(1);
  });

  it("lets a session that began with polling become a WebSocket", async () => {
    const group = await connect(6, "upgrade");
    await eventually("they are upgraded", () => group.every((client) => client.transport === "websocket"));
    await allHear([await publish(relays.all[2] as RelayProcess)]);
    for (const client of group) expect(client.arrivals).to.equal(1);
  });

  it("brings back, once and at once, whoever is told bye", async () => {
    const group = [...(await connect(3, "websocket")), ...(await connect(3, "polling")), ...(await connect(3, "upgrade"))];
    await eventually("they are upgraded", () => group.slice(6).every((client) => client.transport === "websocket"));
    const byes: string[] = [];
    for (const client of group) client.socket.on("bye", ({ retry }: { retry: string }) => byes.push(retry));
    const expected = [await publish(relays.all[0] as RelayProcess)];
    await allHear(expected);
    await disconnect(relays.all[0] as RelayProcess, "unavailable");
    expected.push(await publish(relays.all[1] as RelayProcess));
    // A WebSocket whose end a balancer does not pass on is deaf until its ping times out, after 25 s.
    await eventually("all are back", () => group.every((client) => client.arrivals === 2 && client.there));
    await allHear(expected);
    expect(byes).to.deep.equal(Array.from({ length: 9 }, () => "later"));
  });

  it("knows the path of a public URL such as wss://example.com/ws", async function () {
    const application = await StandIn.start();
    const at =
      kind === "haproxy"
        ? balancer
        : await Balancer.start("nginx", requires("nginx", this), { relays: relays.ports, application: application.port, site: "prefix" });
    try {
      const options = { path: "/ws/socket.io/", url: at.url };
      const group = [
        ...(await connect(2, "websocket", options)),
        ...(await connect(2, "polling", options)),
        ...(await connect(2, "upgrade", options)),
      ];
      await allHear([await publish(relays.all[0] as RelayProcess)]);
      for (const client of group) expect(client.arrivals).to.equal(1);
      for (const path of ["/ws/v1/openapi.json", "/ws/metrics", "/ws/readyz"]) expect(await statusOf(at.url + path), path).to.equal(404);
      expect(application.requests).to.deep.equal([]);
      if (at !== balancer) expect(await (await fetch(`${at.url}/contacts`)).text()).to.equal(`stand-in ${application.port}`);
    } finally {
      for (const client of clients) client.close();
      if (at !== balancer) await at.stop();
      await application.stop();
    }
  });

  it("passes events on as they come, of a public URL's path too, and to another relay where the first was killed", async () => {
    const own = {
      url: balancer.url,
      appKey: relays.appKey,
      site: SITE,
      claims: { grants: [{ topic: "*" }] },
      subscribe: [{ topic: TOPIC }],
    };
    const heard = (stream: EventStream): unknown[] => stream.messages.map(({ data }) => data.n);
    const first = await EventStream.open({ ...own, subscribe: [{ topic: TOPIC, replay: false }] });
    await first.until(() => first.lastEventId !== "", "it begins");
    expect(first.response.headers.get("content-encoding")).to.equal(null);
    const missed: number[] = [];
    for (const relay of relays.all) {
      const n = await publish(relay);
      await first.until(() => heard(first).includes(n), "a message that no buffer holds back", 2000);
    }
    const victim = relays.all[(await relays.connections()).indexOf(1)] as RelayProcess;
    const survivor = relays.all.find((relay) => relay !== victim) as RelayProcess;
    await victim.end("SIGKILL");
    try {
      await first.ended;
      missed.push(await publish(survivor), await publish(survivor));
      const second = await EventStream.open({ ...own, lastEventId: first.lastEventId });
      await second.until(() => second.messages.length === 2, "what was missed");
      missed.push(await publish(survivor));
      await second.until(() => second.messages.length === 3, "and what came after");
      expect([heard(second), second.named("resync")]).to.deep.equal([missed, []]);
      await disconnect(survivor, "forbidden");
      await second.ended;
      expect(second.named("bye"), "said at once, too").to.have.length(1);
    } finally {
      await victim.run();
    }
    if (kind === "nginx") return; // there it is the other file's, whose lines are the same
    const below = await EventStream.open({ ...own, url: `${balancer.url}/ws` });
    await below.until(() => below.messages.length === 1, "the last message");
    await disconnect(survivor, "forbidden");
    await below.ended;
  });

  it("sends nobody to a relay's internals", async () => {
    const relay = relays.all[0] as RelayProcess;
    // They exist, on the port that is not for the public.
    expect(await statusOf(`http://127.0.0.1:${relay.internalPort}/v1/openapi.json`)).to.equal(200);
    for (const path of ["/", "/v1/openapi.json", "/v1/sites/5/publish", "/metrics", "/readyz", "/other/socket.io/"]) {
      const response = await fetch(balancer.url + path);
      expect(response.status, path).to.equal(404);
      expect(await response.text(), path).not.to.include("{");
    }
    expect(await statusOf(`${balancer.url}/healthz`)).to.equal(200);
  });

  it("waits for longer than a relay is silent", async () => {
    const handshake = await (await fetch(`${balancer.url}/socket.io/?EIO=4&transport=polling`)).text();
    const { pingInterval, pingTimeout } = JSON.parse(handshake.slice(1)) as { pingInterval: number; pingTimeout: number };
    const text = read(kind === "nginx" ? "deploy/nginx/bellwire/proxy.conf" : "deploy/haproxy/haproxy.cfg");
    const names =
      kind === "nginx" ? ["proxy_read_timeout", "proxy_send_timeout"] : ["client", "server", "tunnel"].map((name) => `timeout ${name}`);
    for (const name of names) {
      const seconds = Number(new RegExp(`^ *${name} +(\\d+)s;?$`, "m").exec(text)?.[1]);
      expect(seconds * 1000, name).to.be.at.least((pingInterval + pingTimeout) * 2);
    }
  });

  it("serves the browser's scripts as a relay does", async () => {
    for (const path of ["/client.js", "/element.js"]) {
      const direct = await fetch(`http://127.0.0.1:${relays.ports[0]}${path}`);
      const through = await fetch(balancer.url + path);
      expect(direct.status, path).to.equal(200);
      expect([through.status, await through.text()]).to.deep.equal([direct.status, await direct.text()]);
    }
  });

  if (kind === "haproxy") {
    it("leaves polling sessions with a relay that drains until it says bye to each, with and without cookies", async () => {
      const drained = relays.all[1] as RelayProcess;
      await connect(6, "polling");
      await connect(6, "polling", { withCredentials: true });
      const endings = new Map(clients.map((client) => [client, [] as string[]]));
      for (const [client, said] of endings) {
        for (const name of ["draining", "bye", "disconnect"]) client.socket.on(name, () => said.push(name));
      }
      const expected = [await publish(drained)];
      await allHear(expected);
      expect(await drained.connections()).to.be.within(1, clients.length - 1);
      const ended = drained.end("SIGTERM");
      try {
        let exit: number | null | undefined;
        void ended.then((code) => (exit = code));
        // Each message ends a poll, and the next one is HAProxy's to place.
        while (exit === undefined) {
          expected.push(await publish(relays.all[0] as RelayProcess));
          await setTimeout(300);
        }
        expect(exit).to.equal(0);
        expected.push(await publish(relays.all[0] as RelayProcess));
        await allHear(expected);
        const moved = [...endings.values()].filter((said) => said.includes("draining"));
        expect(moved).to.have.length.above(0);
        for (const said of moved) expect(said).to.deep.equal(["draining", "bye", "disconnect"]);
      } finally {
        await drained.run();
      }
    });
  }

  // The last one: sessions that it leaves behind at relays live on there until their pings time out.
  it("moves the clients of a killed relay to the others, where they hear what they missed", async () => {
    await connect(6, "websocket");
    await connect(8, "polling");
    await connect(4, "upgrade");
    const expected = [await publish(relays.all[0] as RelayProcess)];
    await allHear(expected);

    const counts = await relays.connections();
    const victim = relays.all[counts.indexOf(Math.max(...counts))] as RelayProcess;
    const survivors = relays.all.filter((relay) => relay !== victim) as [RelayProcess, RelayProcess];
    await victim.end("SIGKILL");
    expected.push(await publish(survivors[0]), await publish(survivors[1]));
    try {
      await allHear(expected);
      await eventually("all are with the survivors", async () => {
        return sum(await Promise.all(survivors.map((relay) => relay.connections()))) === clients.length;
      });
      expected.push(await publish(survivors[0]));
      await allHear(expected);
      const moved = clients.filter((client) => client.arrivals > 1);
      expect(moved).to.have.length.within(1, clients.length - 1);
    } finally {
      await victim.run();
    }

    await eventually("the relay that came back gets clients again", async () => {
      await connect(3, "websocket");
      return (await victim.connections()) > 0;
    });
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
