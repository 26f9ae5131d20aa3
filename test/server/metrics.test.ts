import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "chai";
import { read } from "../house/tree.js";
import { HookBackend } from "./hooks-backend.js";
import { request, Stage } from "./stage.js";

interface Row {
  readonly kind: string;
  readonly meaning: string;
}

/** What the page says of each metric, by its name. */
function documented(): Map<string, Row & { readonly labels: readonly string[] }> {
  const rows = [...read("docs/metrics.md").matchAll(/^\| `(bellwire_\w+)(?:\{([\w,]+)\})?` \| (gauge|counter) \| (.+) \|$/gm)];
  return new Map(
    rows.map(([, name, labels, kind, meaning]) => [
      name as string,
      { kind: kind as string, meaning: meaning as string, labels: labels?.split(",") ?? [] },
    ]),
  );
}

/** What a relay says of each of its own metrics. */
function exported(text: string): Map<string, Row> {
  const kinds = new Map([...text.matchAll(/^# TYPE (bellwire_\w+) (\w+)$/gm)].map(([, name, kind]) => [name, kind]));
  const helps = [...text.matchAll(/^# HELP (bellwire_\w+) (.+)$/gm)];
  return new Map(helps.map(([, name, meaning]) => [name as string, { kind: kinds.get(name) as string, meaning: meaning as string }]));
}

describe("the metrics of a relay", () => {
  const stage = Stage.forEachTest();

  it("are those of docs/metrics.md, each with its kind and meaning", async () => {
    const { url } = await HookBackend.open(stage, () => ({}));
    const relay = await stage.relay({ file: { topics: { Room: { presence: true } }, hooks: { notices: { url } } } });
    const { text } = await request(`${relay.httpUrl}/metrics`);
    const page = documented();
    const real = exported(text);
    expect([...page.keys()].sort()).to.deep.equal([...real.keys()].sort());
    for (const [name, { kind, meaning }] of page) expect({ kind, meaning }, name).to.deep.equal(real.get(name));
  });

  it("count every refusal by what refused it, under the labels that the page names", async () => {
    const relay = await stage.relay();
    await request(`${relay.httpUrl}/v1/sites/5/publish`, { method: "POST", body: "{}" });
    await request(`${relay.httpUrl}/v1/nowhere`);
    await request(`${relay.httpUrl}/socket.io/?EIO=4&transport=carrier-pigeon`);
    await request(`${relay.httpUrl}/socket.io/?EIO=4&transport=polling`, { headers: { origin: "https://evil.example" } });
    const client = await stage.connect(relay);
    await client.subscribe({ id: "1", topic: "not a topic" });
    const stranger = connect(relay.port, "127.0.0.1").end("no HTTP at all\r\n\r\n");
    await once(stranger.resume(), "close");
    const { text } = await request(`${relay.httpUrl}/metrics`);
    const series = new Map([...text.matchAll(/^(bellwire_\w+\{[^}]*\}) (\d+)$/gm)].map(([, name, count]) => [name, Number(count)]));
    expect(series.get('bellwire_http_refusals_total{code="token-missing"}')).to.equal(1);
    expect(series.get('bellwire_http_refusals_total{code="not-found"}')).to.equal(1);
    expect(series.get('bellwire_http_refusals_total{code="bad-request"}')).to.equal(1);
    expect(series.get('bellwire_handshake_refusals_total{reason="Transport unknown"}')).to.equal(1);
    expect(series.get('bellwire_handshake_refusals_total{reason="Forbidden"}')).to.equal(1);
    expect(series.get('bellwire_subscription_refusals_total{code="bad-request"}')).to.equal(1);
    const page = documented();
    for (const name of series.keys()) {
      const [metric = "", labels = ""] = (name as string).split(/[{}]/);
      const named = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
      expect(named, metric).to.deep.equal(page.get(metric)?.labels);
    }
  });
});
