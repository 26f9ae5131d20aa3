import { existsSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { spawnSync } from "node:child_process";
import { run } from "./run.mjs";

/** What the tests use beside npm packages: how to see that it is there, and the Debian package that brings it. */
const tools = [
  { package: "redis-server", there: () => onPath("redis-server") || onPath("valkey-server") },
  { package: "redis-sentinel", there: () => onPath("redis-sentinel") || onPath("valkey-sentinel") },
  { package: "chromium", there: () => ["chromium", "chromium-browser", "google-chrome"].some(onPath) },
  { package: "python3-socketio", there: () => python("socketio") },
  { package: "python3-aiohttp", there: () => python("aiohttp") },
  { package: "nginx", there: () => onPath("nginx") },
  { package: "haproxy", there: () => onPath("haproxy") },
  { package: "php-cli", there: () => onPath("php") },
  { package: "ruby", there: () => onPath("ruby") },
  { package: "python3", there: () => onPath("python3") },
  { package: "golang-go", there: () => onPath("go") },
  { package: "python3-venv", there: () => python("venv, ensurepip") },
];

/** The fuzzer of HTTP APIs, which is in no distribution's packages: in an environment of its own, beside whatever Python there is. */
const SCHEMATHESIS = { folder: join(homedir(), ".cache/bellwire/schemathesis"), package: "schemathesis==4.32.5" };

const POLICY = "/usr/sbin/policy-rc.d";

/** Installs what is missing where that can be done without a question: as root on a Debian-like system. Otherwise tests skip. */
export async function installSystemTools() {
  await installPackages();
  await installSchemathesis();
}

async function installSchemathesis() {
  const { folder } = SCHEMATHESIS;
  if (onPath("schemathesis") || existsSync(join(folder, "bin/schemathesis"))) return;
  console.log("Installing schemathesis");
  const steps = [
    ["python3", ["-m", "venv", folder]],
    [join(folder, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", "--retries", "1", SCHEMATHESIS.package]],
  ];
  for (const [program, args] of steps) {
    if ((await run(program, args)) === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    console.error("schemathesis can't be installed: the test that needs it will be skipped");
    return;
  }
}

async function installPackages() {
  const missing = tools.filter((tool) => !tool.there()).map((tool) => tool.package);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !onPath("apt-get")) {
    console.log(`Not found, so the tests that need it will be skipped: ${missing.join(", ")}`);
    return;
  }
  console.log(`Installing ${missing.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Debian's way to say that packages must not start their services; the tests start their own, on free ports.
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await run("apt-get", ["update", "-qq"], { env });
    const code = await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env });
    if (code !== 0) console.error("apt-get install failed: the tests that need those tools will be skipped");
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

function onPath(name) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  // Debian keeps nginx and haproxy in /usr/sbin, which is not on everybody's path.
  if (process.platform !== "win32") folders.push("/usr/sbin", "/usr/local/sbin");
  return folders.some((folder) => folder !== "" && (existsSync(join(folder, name)) || existsSync(join(folder, `${name}.exe`))));
}

/** Whichever Python the tests would use: the one on the path, or the system's, where packages put their modules. */
function python(module) {
  return ["python3", "/usr/bin/python3"].some((file) => spawnSync(file, ["-c", `import ${module}`], { stdio: "ignore" }).status === 0);
}
