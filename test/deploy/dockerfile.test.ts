import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { filesOf, read, root } from "../house/tree.js";
import { stablePort } from "../support/stable-port.js";
import { checker, run } from "./checkers.js";
import { copyOf, parseDockerfile, Replay, seenBy, type Stage, words } from "./dockerfile.js";
import { eventually, RelayProcess, statusOf } from "./relays.js";
import { secrets } from "./settings.js";

const DOCKERFILE = "deploy/docker/Dockerfile";

describe("the Dockerfile", function () {
  this.timeout(60_000);
  const stages = parseDockerfile(read(DOCKERFILE));
  const sees = seenBy(read(`${DOCKERFILE}.dockerignore`));
  const stage = (name: string): Stage => stages.find((one) => one.name === name) as Stage;

  it("copies what exists and is not hidden by .dockerignore", () => {
    for (const { instructions } of stages) {
      for (const copy of instructions.filter(({ name }) => name === "COPY").map(copyOf)) {
        if (copy.from !== undefined) continue;
        for (const source of copy.sources) {
          expect(existsSync(join(root, source)), source).to.equal(true);
          expect(sees(source), source).to.equal(true);
        }
      }
    }
  });

  it("lets no secret, nothing built and nothing installed into the build", () => {
    for (const path of [".env", "server/.env", "deploy/docker/.env", ".git/config", "server/dist/cli.js", "node_modules/ws/index.js"]) {
      expect(sees(path), path).to.equal(false);
    }
    expect(sees("server/src/cli.ts")).to.equal(true);
  });

  it("knows every package of the workspaces, without which npm ci fails", () => {
    const { workspaces } = JSON.parse(read("package.json")) as { workspaces: string[] };
    const manifests = stage("manifests").instructions.flatMap((one) => (one.name === "COPY" ? copyOf(one).sources : []));
    expect(manifests).to.have.members(["package.json", "package-lock.json", ...workspaces.map((name) => `${name}/package.json`)]);
  });

  it("runs on a Node that the packages take, as nobody in particular, on the relay's port", () => {
    const major = Number(/^ARG NODE=node:(\d+)-slim$/m.exec(read(DOCKERFILE))?.[1]);
    expect(major).to.be.at.least(20);
    expect(stages.at(-1)?.name).to.equal("relay");
    for (const name of ["relay", "demo"]) {
      expect(stage(name).instructions.find((one) => one.name === "USER")?.rest, name).to.equal("1000");
    }
    expect(stage("relay").instructions.find((one) => one.name === "EXPOSE")?.rest).to.equal("6200");
  });

  const hadolint = checker("hadolint");
  if (hadolint !== undefined) {
    it("is taken by hadolint", async () => {
      const { status, said } = await run(hadolint, [join(root, DOCKERFILE)]);
      expect(status, said).to.equal(0);
    });
  }

  describe("with its steps done one by one", () => {
    let dir: string;
    let replay: Replay;
    let app: string;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), "bellwire-docker-"));
      replay = new Replay(stages, dir, sees);
      // These two take longest, and at the same time they take no longer than one of them.
      await Promise.all([replay.folder("build"), replay.folder("runtime")]);
      app = await replay.folder("relay");
    });

    after(() => rm(dir, { recursive: true, force: true }));

    it("holds the relay and what it needs to run, and neither sources nor what only builds", async () => {
      const installed = await readdir(join(app, "node_modules"));
      expect(installed).to.include.members(["@bellwire", "socket.io", "ioredis"]);
      for (const name of ["typescript", "mocha", "esbuild", "playwright-core", "oxlint"]) expect(installed, name).not.to.include(name);
      expect(existsSync(join(app, "server/src"))).to.equal(false);
      expect(filesOf("emitter/lua", /\.lua$/).filter((file) => !existsSync(join(app, file)))).to.deep.equal([]);
    });

    it("starts by its command, is found alive by its health check, serves the bundle and stops when told", async () => {
      const [node, file, command] = words(stage("relay"), "CMD");
      expect([node, command]).to.deep.equal(["node", "serve"]);
      const [interpreter, ...check] = words(stage("relay"), "HEALTHCHECK");
      expect(interpreter).to.equal("node");
      // So that it need not wait for balancers when it is told to stop.
      const settings = join(dir, "bellwire.yaml");
      await writeFile(settings, "drain: {accept: 100ms}\n");
      const env = { ...secrets, REALTIME_LOG: "memory", REALTIME_CONFIG: settings };
      const relay = new RelayProcess(await stablePort(), await stablePort(), app, env, join(app, file as string));
      const healthy = () => run(process.execPath, check, { env: { REALTIME_WS_PORT: String(relay.port) } });
      expect((await healthy()).status).to.equal(1);
      try {
        await relay.run();
        expect((await healthy()).status).to.equal(0);
        expect(await statusOf(`http://127.0.0.1:${relay.port}/client.js`)).to.equal(200);
      } finally {
        expect(await relay.end("SIGTERM")).to.equal(0);
      }
    });

    it("starts the demo, too", async () => {
      const demo = await replay.folder("demo");
      const [, file] = words(stage("demo"), "CMD");
      const port = await stablePort();
      const env = {
        ...secrets,
        PATH: process.env.PATH,
        PORT: String(port),
        REALTIME_PUBLIC_URL: "ws://localhost:8080/ws",
        RELAY_HTTP_URL: "http://relays:6201",
      };
      const child = spawn(process.execPath, [file as string], { cwd: demo, env, stdio: "ignore" });
      try {
        await eventually("the demo answers", async () => (await statusOf(`http://127.0.0.1:${port}/`)) !== undefined);
        expect(await statusOf(`http://127.0.0.1:${port}/app.js`)).to.equal(200);
      } finally {
        child.kill("SIGKILL");
      }
    });

    it("has the command's help", async () => {
      const { status, said } = await run(process.execPath, [join(app, "server/bin/bellwire.js"), "--help"]);
      expect(status, said).to.equal(0);
      expect(said).to.include("serve");
    });

    it("has the versions of package-lock.json", async () => {
      const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, { version: string }> };
      for (const name of ["socket.io", "ioredis", "fastify"]) {
        const { version } = JSON.parse(await readFile(join(app, "node_modules", name, "package.json"), "utf8")) as { version: string };
        expect(version, name).to.equal(lock.packages[`node_modules/${name}`]?.version);
      }
    });
  });
});
