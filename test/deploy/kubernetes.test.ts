import { join } from "node:path";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { filesOf, read, root } from "../house/tree.js";
import { checker, run } from "./checkers.js";
import { accepted, secrets } from "./settings.js";

/** As far as the tests look into it. */
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: Readonly<Record<string, string>> | { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template?: { readonly metadata: { readonly labels: Readonly<Record<string, string>> }; readonly spec: PodSpec };
    readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly rules?: readonly { readonly http: { readonly paths: readonly IngressPath[] } }[];
  };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [
    {
      readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
      readonly env: readonly { readonly name: string; readonly value: string }[];
      readonly readinessProbe: Probe;
      readonly livenessProbe: Probe;
      readonly lifecycle?: object;
    },
  ];
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface IngressPath {
  readonly path: string;
  readonly backend: { readonly service: { readonly name: string; readonly port: { readonly name: string } } };
}

describe("the Kubernetes manifests", () => {
  const files = filesOf("deploy/kubernetes", /\.yaml$/);
  const all = files.flatMap((file) => parseAllDocuments(read(file)).map((document) => document.toJS() as Manifest));
  const one = (kind: string, name = "bellwire"): Manifest =>
    all.find((manifest) => manifest.kind === kind && manifest.metadata.name === name) as Manifest;
  const template = one("Deployment").spec.template as NonNullable<Manifest["spec"]["template"]>;
  const [relay] = template.spec.containers;
  const port = (name: string): number | undefined => relay.ports.find((open) => open.name === name)?.containerPort;

  it("let the ingress controller alone reach the public port, and labelled pods the internal one", () => {
    const { spec } = one("NetworkPolicy") as unknown as {
      spec: { podSelector: unknown; ingress: { from: object[]; ports: { port: string }[] }[] };
    };
    expect(spec.podSelector).to.deep.equal(one("Deployment").spec.selector);
    for (const { from, ports } of spec.ingress) {
      expect(from).to.have.length(1);
      for (const opened of ports) expect(port(opened.port), opened.port).to.be.a("number");
    }
    expect(spec.ingress.map(({ ports }) => ports.map((opened) => opened.port))).to.deep.equal([["public"], ["internal"]]);
    expect(JSON.stringify(spec.ingress[0]?.from)).to.contain("ingress-nginx");
  });

  it("are of the versions that Kubernetes serves today", () => {
    expect(all.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).to.have.members([
      "apps/v1 Deployment",
      "v1 Service",
      "v1 Service",
      "policy/v1 PodDisruptionBudget",
      "networking.k8s.io/v1 Ingress",
      "networking.k8s.io/v1 NetworkPolicy",
    ]);
  });

  it("run relays with settings that one takes in production, on the ports that it then opens", () => {
    const env = Object.fromEntries(relay.env.map(({ name, value }) => [name, value]));
    const config = accepted({ ...env, ...secrets, REDIS_URL: "redis://redis:6379/0", NODE_ENV: "production" });
    expect(config.warnings).to.deep.equal([]);
    expect([port("public"), port("internal")]).to.deep.equal([config.port, config.internalPort]);
    expect(read("deploy/kubernetes/bellwire.yaml")).to.include(`prometheus.io/port: "${config.internalPort}"`);
  });

  it("ask each relay whether it is ready and whether it is alive, and leave it the time to drain", () => {
    expect(relay.readinessProbe.httpGet).to.deep.equal({ path: "/readyz", port: "public" });
    expect(relay.livenessProbe.httpGet).to.deep.equal({ path: "/healthz", port: "public" });
    expect(template.spec.terminationGracePeriodSeconds).to.equal(90);
    expect(relay.lifecycle).to.equal(undefined);
  });

  it("select the relays everywhere by the labels that they have", () => {
    const { labels } = template.metadata;
    for (const { kind, spec } of all.filter((manifest) => manifest.spec.selector !== undefined)) {
      const selector = spec.selector as { matchLabels?: object };
      expect(selector.matchLabels ?? selector, kind).to.deep.equal(labels);
    }
  });

  it("keep the public and the internal port apart", () => {
    const targets = (name: string) => one("Service", name).spec.ports?.map((open) => [open.port, port(open.targetPort)]);
    expect(targets("bellwire")).to.deep.equal([[6200, 6200]]);
    expect(targets("bellwire-internal")).to.deep.equal([[6201, 6201]]);
    const paths = one("Ingress").spec.rules?.flatMap((rule) => rule.http.paths) ?? [];
    expect(paths.map(({ path }) => path)).to.deep.equal(["/socket.io/", "/v1/sites/", "/client.js", "/element.js"]);
    for (const { backend } of paths) expect(backend.service).to.deep.equal({ name: "bellwire", port: { name: "public" } });
  });

  const kubeconform = checker("kubeconform");
  if (kubeconform === undefined) return;

  it("are taken by kubeconform", async () => {
    const { status, said } = await run(kubeconform, ["-strict", "-summary", ...files.map((file) => join(root, file))]);
    expect(status, said).to.equal(0);
  });
});
