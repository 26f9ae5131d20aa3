import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { parse } from "yaml";
import { read, root } from "../house/tree.js";
import { checker, run } from "./checkers.js";
import { accepted, envFile, secrets } from "./settings.js";

const FOLDER = "deploy/docker";

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly networks: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] } | null>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: object;
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: object;
}

describe("the compose file", () => {
  const text = read(`${FOLDER}/compose.yaml`);
  const { services, networks, volumes } = parse(text, { merge: true }) as Compose;
  const dockerfile = read(`${FOLDER}/Dockerfile`);
  const relays = ["relay1", "relay2", "relay3"];
  const service = (name: string): Service => services[name] as Service;

  /** `${NAME:-default}` and `${NAME:?message}`, as Compose replaces them. */
  const filled = (value: string, env: Readonly<Record<string, string>> = secrets): string =>
    value.replace(
      /\$\{([A-Z_]+):([-?])([^}]*)\}/g,
      (_all, name: string, how: string, rest: string) => env[name] || (how === "-" ? rest : ""),
    );
  const environment = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(service(name).environment ?? {}).map(([key, value]) => [key, filled(value)]));
  const networksOf = (name: string): readonly string[] => {
    const of = service(name).networks;
    return Array.isArray(of) ? of : Object.keys(of);
  };

  it("has three relays, nginx, Redis and the demo", () => {
    expect(Object.keys(services)).to.have.members([...relays, "nginx", "redis", "demo"]);
  });

  it("runs one image as all relays, with settings that a relay takes in production", () => {
    for (const name of relays) {
      expect(service(name).image).to.equal(service("relay1").image);
      const config = accepted(environment(name));
      expect(config).to.include({ production: true, port: 6200, internalPort: 6201 });
      expect(config.warnings).to.deep.equal([]);
      expect(config.redis?.target).to.equal("redis://redis:6379/0");
      expect(Number.parseInt(service(name).stop_grace_period as string, 10)).to.be.at.least(60);
    }
  });

  it("builds stages of the Dockerfile", () => {
    const built = Object.values(services).flatMap(({ build }) => (build === undefined ? [] : [build]));
    expect(built).to.have.length(2);
    for (const { context, dockerfile: file, target } of built) {
      expect(join(root, FOLDER, context)).to.equal(root);
      expect(file).to.equal(`${FOLDER}/Dockerfile`);
      expect(dockerfile).to.match(new RegExp(`^FROM \\S+ AS ${target}$`, "m"));
    }
  });

  it("refuses to start without keys, and .env.example names all that can be set", () => {
    const named = new Set([...text.matchAll(/\$\{([A-Z_]+):/g)].map((match) => match[1] as string));
    expect(Object.keys(envFile(`${FOLDER}/.env.example`))).to.have.members([...named]);
    expect([...text.matchAll(/\$\{(APP_KEY|REALTIME_API_KEY):(.)/g)].map((match) => match[2])).to.deep.equal(["?", "?", "?", "?"]);
  });

  it("waits for what it depends on by a health check that is there", () => {
    for (const [name, { depends_on = {} }] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(services, name).to.have.property(other);
        if (condition !== "service_healthy") continue;
        const checked = relays.includes(other) ? /^HEALTHCHECK/m.test(dockerfile) : service(other).healthcheck !== undefined;
        expect(checked, `${name} waits for ${other}`).to.equal(true);
      }
    }
  });

  it("mounts files that exist, and volumes that it declares", () => {
    for (const mount of Object.values(services).flatMap((one) => one.volumes ?? [])) {
      const source = mount.split(":", 1)[0] as string;
      if (source.startsWith(".")) expect(existsSync(join(root, FOLDER, source)), mount).to.equal(true);
      else expect(volumes, mount).to.have.property(source);
    }
  });

  it("publishes nginx alone, and Redis to relays alone", () => {
    expect(Object.keys(services).filter((name) => service(name).ports !== undefined)).to.deep.equal(["nginx"]);
    expect(networks.back).to.deep.equal({ internal: true });
    expect(Object.keys(services).filter((name) => networksOf(name).includes("back"))).to.have.members([...relays, "redis"]);
    expect(networksOf("redis")).to.deep.equal(["back"]);
  });

  it("calls everything as nginx and the demo do", () => {
    const upstreams = [...read("deploy/nginx/bellwire/relays.conf").matchAll(/^ +server ([\w.]+):(\d+)/gm)];
    expect(new Set(upstreams.map(([, host]) => host))).to.deep.equal(new Set(relays));
    for (const [, , port] of upstreams) expect(Number(port)).to.equal(accepted(environment("relay1")).port);

    const application = /proxy_pass http:\/\/(\w+):(\d+);/.exec(read("deploy/nginx/sites/prefix.conf")) as RegExpExecArray;
    expect(service(application[1] as string).environment).to.include({ PORT: application[2] });

    const publishing = new URL(environment("demo").RELAY_HTTP_URL as string);
    for (const name of relays) {
      const { front } = service(name).networks as Record<string, { aliases: string[] }>;
      expect(front?.aliases).to.deep.equal([publishing.hostname]);
      expect(publishing.port).to.equal(environment(name).REALTIME_INTERNAL_PORT);
    }
    for (const name of ["APP_KEY", "REALTIME_API_KEY", "REALTIME_PUBLIC_URL"]) {
      expect(environment("demo")[name]).to.equal(environment("relay1")[name]);
    }
  });

  it("gives browsers the address where nginx has the relays", () => {
    const url = new URL(environment("relay1").REALTIME_PUBLIC_URL as string);
    expect(service("nginx").ports).to.deep.equal([`\${HTTP_PORT:-${url.port}}:80`]);
    expect(read("deploy/nginx/sites/prefix.conf")).to.include(`location ^~ ${url.pathname}/socket.io/ {`);
    expect(envFile(`${FOLDER}/.env.example`)).to.include({ HTTP_PORT: url.port, REALTIME_PUBLIC_URL: url.href });
  });

  const docker = checker("docker");
  if (docker === undefined) return;

  it("is taken by docker compose", async () => {
    const args = ["compose", "-f", join(root, FOLDER, "compose.yaml"), "config", "-q"];
    const { status, said } = await run(docker, args, { env: { ...process.env, ...secrets } });
    expect(status, said).to.equal(0);
  });
});
