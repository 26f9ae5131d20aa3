import { connectToken, jwt } from "../support/tokens.js";

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

export type Frame = string | Buffer;

const SITE = "hostile";
const NAMES = ["subscribe", "subscribe", "subscribe", "unsubscribe", "publish", "rpc", "presence", "refresh"];
const ODD_NAMES = [
  "error",
  "__proto__",
  "constructor",
  "toString",
  "hello",
  "messages",
  "bye",
  "",
  "\u0000",
  "x".repeat(5000),
  "newlistener",
];
const KEYS = [
  "id",
  "topic",
  "filter",
  "token",
  "ticket",
  "since",
  "replay",
  "epoch",
  "offset",
  "__proto__",
  "constructor",
  "length",
  "toJSON",
  "then",
];
const TEXTS = [
  "",
  "a",
  "__proto__",
  "t1",
  "$user",
  "news",
  "\ud800",
  "\u0000",
  "5",
  "null",
  "é😀",
  "/site/x",
  "x".repeat(300),
  "s1.1_2__.x",
  "c1.e30.x",
];
const NUMBERS = [0, -1, 1, 5, 1.5, 2 ** 53, -(2 ** 53), 1e308, 1e-320, 2 ** 31, 4_294_967_296];
const NAMESPACES = [
  "/",
  "/control",
  "/site/other",
  "/site/",
  `/site/${SITE}`,
  "/site/__proto__",
  "/admin",
  "/site/a b",
  `/${"n".repeat(2000)}`,
  "/é",
];

/** Frames that no well-meaning client sends, some so broken that the connection ends and some that it survives. */
export class HostileFrames {
  readonly #chance: Chance;
  readonly #appKey: string;

  constructor(chance: Chance, appKey: string) {
    this.#chance = chance;
    this.#appKey = appKey;
  }

  /** A Socket.IO CONNECT; most of the good ones may subscribe to anything. */
  connect(good: boolean): string {
    if (!good) return `40${this.#chance.of(NAMESPACES)},${JSON.stringify(this.#badAuth())}`;
    const claims = {
      site: SITE,
      sub: this.#chance.of(["ann", "", "é"]),
      ...(this.#chance.next() < 0.8 ? { grants: [{ topic: "*" }] } : {}),
    };
    return `40/site/${SITE},${JSON.stringify({ v: 1, token: connectToken(this.#appKey, claims) })}`;
  }

  #badAuth(): object {
    const { of, value } = { of: <T>(items: readonly T[]): T => this.#chance.of(items), value: () => this.#value(0) };
    const token = of<unknown>([
      undefined,
      null,
      5,
      {},
      [],
      true,
      "",
      "a.b.c",
      "x".repeat(17_000),
      value(),
      "....",
      connectToken("k".repeat(32)),
    ]);
    const claims = of<unknown>([null, 5, [], "text", {}, { site: value(), sub: value(), iat: value(), exp: value(), grants: value() }]);
    return of<object>([
      {},
      { token },
      { v: value() },
      { v: 1, ticket: token },
      { v: 1, token: jwt(this.#appKey, claims, { alg: of(["HS256", "none", "RS256", "__proto__"]), kid: value() }) },
      { v: 1, token, client: value(), since: value(), data: value() },
    ]);
  }

  /** Any JSON value, with a taste for what breaks programs. */
  #value(depth: number): unknown {
    const kind = this.#chance.below(depth > 3 ? 5 : 8);
    if (kind === 0) return this.#chance.of([null, true, false]);
    if (kind <= 2) return this.#chance.of(NUMBERS);
    if (kind <= 4) return this.#chance.of(TEXTS);
    const size = this.#chance.below(4);
    if (kind <= 5) return Array.from({ length: size }, () => this.#value(depth + 1));
    // As own properties, as JSON.parse makes them of "__proto__", too.
    return JSON.parse(
      `{${Array.from({ length: size }, () => `${JSON.stringify(this.#chance.of(KEYS))}:${JSON.stringify(this.#value(depth + 1)) ?? "0"}`).join(",")}}`,
    );
  }

  /** Something that looks like an item of a subscribe. */
  #item(): object {
    const chance = this.#chance;
    const maybe = <T>(good: T): unknown => (chance.next() < 0.6 ? good : this.#value(1));
    const filter =
      chance.next() < 0.003 ? Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i])) : maybe({ id: chance.below(9) });
    return {
      id: maybe(`i${chance.below(50)}`),
      topic: maybe(`t${chance.below(20)}`),
      filter,
      ...(chance.next() < 0.3 ? { since: this.#value(1) } : {}),
      ...(chance.next() < 0.3 ? { token: this.#value(1) } : {}),
      ...(chance.next() < 0.3 ? { ticket: this.#value(1) } : {}),
    };
  }

  #arguments(): string {
    const chance = this.#chance;
    const kind = chance.below(100);
    if (kind < 45) return JSON.stringify(Array.from({ length: chance.below(5) }, () => this.#item()));
    if (kind < 55) return JSON.stringify(Array.from({ length: chance.below(20) }, () => chance.of(TEXTS)));
    if (kind < 60) return '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    if (kind < 62) return "[".repeat(2000) + "]".repeat(2000);
    if (kind < 63) return `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`;
    if (kind < 64) return JSON.stringify("x".repeat(chance.below(100_000)));
    return JSON.stringify(this.#value(0)) ?? "null";
  }

  /** Frames in a row that belong together, e.g. a binary event and its attachment. The connection survives them. */
  survivable(): Frame[] {
    const chance = this.#chance;
    const kind = chance.below(100);
    const id = chance.of(["", "", "0", "1", "7", "99999999999999999999", "9".repeat(400)]);
    const head = `42/site/${SITE},${id}`;
    if (kind < 65) return [`${head}["${chance.of(NAMES)}",${this.#arguments()}${chance.next() < 0.2 ? `,${this.#arguments()}` : ""}]`];
    if (kind < 75) return [`${head}[${JSON.stringify(chance.of(ODD_NAMES))},${this.#arguments()}]`];
    if (kind < 78) return [`${head}[${chance.of(NUMBERS)},${this.#arguments()}]`];
    if (kind < 80) return [`${head}["${chance.of(NAMES)}"]`];
    if (kind < 86) return [`43/site/${SITE},${chance.of(["0", "5", "99999999999999999999"])}[${this.#arguments()}]`];
    if (kind < 92) return [`40/site/${chance.of(["second", "x".repeat(64), "__proto__"])},${JSON.stringify(this.#badAuth())}`];
    if (kind < 95) return ["3"];
    const attachment = Buffer.alloc(chance.below(2000), chance.below(256));
    const holder = chance.of([
      '{"_placeholder":true,"num":0}',
      '[{"id":{"_placeholder":true,"num":0},"topic":"t1"}]',
      '{"a":{"_placeholder":true,"num":0}}',
    ]);
    return [`451-/site/${SITE},${id}["${chance.of(NAMES)}",${holder}]`, attachment];
  }

  /** A frame that ends the connection. */
  fatal(): Frame {
    const chance = this.#chance;
    const garbage = (): string => Array.from({ length: chance.below(30) }, () => String.fromCharCode(32 + chance.below(0x2000))).join("");
    return chance.of<() => Frame>([
      () => "1",
      () => "2",
      () => "9",
      () => "x",
      () => "",
      () => "4",
      () => `4${garbage()}`,
      () => "42",
      () => "42{}",
      () => `42/site/${SITE},`,
      () => `42/site/${SITE},[]`,
      () => `42/site/${SITE},{"a":1}`,
      () => `42/site/${SITE},["connect"]`,
      () => `42/site/${SITE},["disconnecting"]`,
      () => `42/site/${SITE},[{"a":1}]`,
      () => `42/site/${SITE},["subscribe",`,
      () => `42/site/nobody,["subscribe",[]]`,
      () => "41/site/nobody,",
      () => "43[1]",
      () => "44{}",
      () => `44/site/${SITE},{"message":"no"}`,
      () => "47",
      () => `45-/site/${SITE},["subscribe"]`,
      () => `459999999999-/site/${SITE},["subscribe",{"_placeholder":true,"num":0}]`,
      () => `451-/site/${SITE},["subscribe",{"_placeholder":true,"num":5}]`,
      () => `451-/site/${SITE},["subscribe",{"_placeholder":true,"num":"__proto__"}]`,
      () => Buffer.from(garbage()),
      () => Buffer.alloc(0),
      () => `40/site/${SITE},[1]`,
      () => `40/site/${SITE},"text"`,
      () => `40/site/${SITE},{`,
      () => garbage(),
    ])();
  }
}
