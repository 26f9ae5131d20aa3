import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import {
  BellwireError,
  codes,
  grantPublishes,
  grantsCover,
  filterMatches,
  filterObject,
  isCode,
  isSite,
  isTopicPattern,
  onAcked,
  onMessages,
  onPosition,
  onResync,
  parseConnectClaims,
  parseFilter,
  parseGrants,
  parseSubscribeClaims,
  parseTopic,
  parseWireError,
  type Filter,
  type JsonObject,
  type ParsedGrant,
  type Position,
  type Step,
  type WireMessage,
} from "@bellwire/protocol";

const folder = new URL("../../protocol/vectors/", import.meta.url);

interface Vectors<Case> {
  readonly description: string;
  readonly cases: readonly (Case & { readonly name: string })[];
}

function vectors<Case, More = object>(file: string): Vectors<Case> & More {
  return JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Vectors<Case> & More;
}

/** Runs something that may refuse, and gives its result or the code of its refusal. */
function outcome<T>(run: () => T): { value: T } | { error: string } {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof BellwireError) return { error: error.code };
    throw error;
  }
}

interface Publishing {
  readonly name: string;
  readonly grants: unknown;
  readonly topic: string;
  readonly data: JsonObject;
  readonly publishes: boolean;
}

describe("the test vectors", () => {
  it("all have a description and cases with different names", () => {
    const files = readdirSync(fileURLToPath(folder)).filter((name) => name.endsWith(".json"));
    expect(files).to.include.members([
      "filters.json",
      "matching.json",
      "grants.json",
      "cursor.json",
      "names.json",
      "codes.json",
      "tokens.json",
    ]);
    for (const file of files) {
      const { description, cases } = vectors(file);
      expect(description, file).to.be.a("string").and.not.equal("");
      const names = cases.map((one) => one.name);
      expect(new Set(names).size, `names in ${file}`).to.equal(names.length);
    }
  });

  describe("of filters", () => {
    for (const one of vectors<{ filter: unknown; canonical?: string; error?: string }>("filters.json").cases) {
      it(one.name, () => {
        const expected = one.error === undefined ? { value: one.canonical } : { error: one.error };
        expect(outcome(() => parseFilter(one.filter).canonical)).to.deep.equal(expected);
      });
    }
  });

  describe("of surrogates", () => {
    for (const one of vectors<{ filter: unknown; error: string }>("surrogates.json").cases) {
      it(one.name, () => {
        expect(outcome(() => parseFilter(one.filter))).to.deep.equal({ error: one.error });
      });
    }
  });

  describe("of matching", () => {
    for (const one of vectors<{ filter: Filter; data: JsonObject; matches: boolean }>("matching.json").cases) {
      it(one.name, () => {
        expect(filterMatches(parseFilter(one.filter), one.data)).to.equal(one.matches);
      });
    }
  });

  describe("of grants", () => {
    for (const one of vectors<{ grants: unknown; topic: string; filter: unknown; covered: boolean }>("grants.json").cases) {
      it(one.name, () => {
        expect(grantsCover(parseGrants(one.grants), one.topic, parseFilter(one.filter))).to.equal(one.covered);
      });
    }
    const { publishing } = vectors<never>("grants.json") as unknown as { publishing: Publishing[] };
    for (const { name, grants, topic, data, publishes } of publishing) {
      it(`of publishing: ${name}`, () => {
        expect(parseGrants(grants).some((grant) => grantPublishes(grant, topic, data))).to.equal(publishes);
      });
    }
  });

  describe("of names", () => {
    for (const one of vectors<{ kind: "site" | "topic" | "pattern"; value: string; valid: boolean; error?: string }>("names.json").cases) {
      it(one.name, () => {
        if (one.kind === "topic") {
          expect(outcome(() => parseTopic(one.value))).to.deep.equal(one.error === undefined ? { value: one.value } : { error: one.error });
        } else {
          expect((one.kind === "site" ? isSite : isTopicPattern)(one.value)).to.equal(one.valid);
        }
      });
    }
  });

  describe("of codes", () => {
    const { cases } = vectors<{ error: JsonObject; act: string; status?: number; after?: number }>("codes.json");
    for (const one of cases) {
      it(one.name, () => {
        const error = parseWireError(one.error);
        expect(error.retry).to.equal(one.act);
        expect(error.after).to.equal(one.after);
        if (one.status !== undefined) expect(codes[error.code as keyof typeof codes].status).to.equal(one.status);
      });
    }
    it("name every code", () => {
      const named = cases.map((one) => one.error.code).filter(isCode);
      expect([...new Set(named)]).to.have.members(Object.keys(codes));
    });
  });

  describe("of the cursor", () => {
    type Received =
      | { receive: "ack"; epoch: string; offset: number; messages: WireMessage[]; resync: boolean }
      | { receive: "messages"; epoch: string; batch: WireMessage[] }
      | { receive: "positions" | "resync"; epoch: string; offset: number };
    type Expected = { delivered: number[]; refetch: boolean; cursor: Position | null };
    for (const one of vectors<{ filter: Filter; start: Position | null; events: (Received & Expected)[] }>("cursor.json").cases) {
      it(one.name, () => {
        const filter = parseFilter(one.filter);
        let cursor = one.start;
        for (const event of one.events) {
          const step = receive(cursor, event);
          cursor = step?.cursor ?? cursor;
          expect(step?.deliver.map(([offset]) => offset) ?? []).to.deep.equal(event.delivered);
          expect(step?.resync ?? false).to.equal(event.refetch);
          expect(cursor).to.deep.equal(event.cursor);
        }
        function receive(cursor: Position | null, event: Received): Step | undefined {
          if (event.receive === "ack") return onAcked(event);
          if (cursor === null) return undefined;
          if (event.receive === "messages") return onMessages(cursor, filter, event.epoch, event.batch);
          if (event.receive === "positions") return onPosition(cursor, { epoch: event.epoch, offset: event.offset });
          return onResync({ epoch: event.epoch, offset: event.offset });
        }
      });
    }
  });

  describe("of tokens", () => {
    interface Accepted {
      user?: string;
      session?: string;
      until?: number;
      grants?: unknown[];
      subscriptions?: unknown[];
    }
    interface TokenCase {
      kind: "connect" | "subscribe";
      site: string;
      connection?: { user: string; session: string };
      token: string;
      claims: unknown;
      accepted?: Accepted;
      error?: string;
    }
    const { cases, now, appKey, previousKeys } = vectors<TokenCase, { now: number; appKey: string; previousKeys: string[] }>("tokens.json");
    const keys = [appKey, ...previousKeys].flatMap((key) => {
      const literal = Buffer.from(key);
      return key.startsWith("base64:") ? [Buffer.from(key.slice(7), "base64"), literal] : [literal];
    });

    for (const one of cases) {
      it(one.name, () => {
        const result = outcome((): object => {
          const payload = verified(one.token, keys);
          expect(payload).to.deep.equal(one.claims);
          if (one.kind === "connect") {
            const permit = parseConnectClaims(payload, one.site, now);
            return { ...permit, grants: plain(permit.grants), subscriptions: plain(permit.subscriptions) };
          }
          const permit = parseSubscribeClaims(payload, { site: one.site, user: "", session: "", ...one.connection }, now);
          return { ...permit, grants: plain(permit.grants) };
        });
        if (one.error !== undefined) expect(result).to.deep.equal({ error: one.error });
        else expect("value" in result && result.value).to.deep.include(one.accepted);
      });
    }

    it("are signed with keys of at least 32 bytes", () => {
      for (const key of keys) expect(key.length).to.be.at.least(32);
    });

    function plain(grants: readonly ParsedGrant[]): unknown[] {
      return grants.map((grant) => ({ topic: grant.topic, filter: filterObject(grant.filter) }));
    }
  });
});

/** JWT, HS256 and compact, in as few lines as a foreign implementation would need. */
function verified(token: string, keys: readonly Buffer[]): unknown {
  const invalid = new BellwireError("token-invalid", "The token's signature does not hold");
  const [header, payload, signature, more] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || more !== undefined) throw invalid;
  if (/[^A-Za-z0-9._-]/.test(token)) throw invalid;
  const given = Buffer.from(signature, "base64url");
  const read = (part: string): unknown => {
    try {
      return JSON.parse(Buffer.from(part, "base64url").toString()) as unknown;
    } catch {
      throw invalid;
    }
  };
  const { alg, crit } = read(header) as { alg?: unknown; crit?: unknown };
  if (alg !== "HS256" || crit !== undefined) throw invalid;
  const holds = keys.some((key) => {
    const expected = createHmac("sha256", key).update(`${header}.${payload}`).digest();
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
  if (!holds) throw invalid;
  return read(payload);
}
