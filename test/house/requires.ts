import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { Context } from "mocha";

interface Tool {
  /** Programs that will do, the best first: a name on the path or a whole path. */
  readonly programs: readonly string[];
  /** Python modules that the program must be able to import. */
  readonly modules?: readonly string[];
  /** How to get it, as a line to run. */
  readonly remedy: string;
}

/** Another Redis or Valkey than the machine's own, as a whole path, to run the tests with it. */
const { TEST_REDIS_SERVER } = process.env;

const tools = {
  "redis-server": {
    programs: TEST_REDIS_SERVER === undefined ? ["redis-server", "valkey-server"] : [TEST_REDIS_SERVER],
    remedy: "apt-get install redis-server (macOS: brew install redis); or the path of another one in TEST_REDIS_SERVER",
  },
  "redis-sentinel": {
    programs: ["redis-sentinel", "valkey-sentinel"],
    remedy: "apt-get install redis-sentinel (macOS: brew install redis)",
  },
  chromium: {
    programs: [
      "chromium",
      "chromium-browser",
      "google-chrome",
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
      "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    ],
    remedy: "apt-get install chromium (macOS: brew install --cask chromium)",
  },
  nginx: { programs: ["nginx"], remedy: "apt-get install nginx (macOS: brew install nginx)" },
  haproxy: { programs: ["haproxy"], remedy: "apt-get install haproxy (macOS: brew install haproxy)" },
  curl: { programs: ["curl"], remedy: "apt-get install curl (macOS: brew install curl)" },
  php: { programs: ["/usr/bin/php", "php"], remedy: "apt-get install php-cli (macOS: brew install php)" },
  ruby: { programs: ["/usr/bin/ruby", "ruby"], remedy: "apt-get install ruby (macOS: brew install ruby)" },
  python3: { programs: ["/usr/bin/python3", "python3"], remedy: "apt-get install python3 (macOS: brew install python)" },
  go: { programs: ["/usr/bin/go", "go"], remedy: "apt-get install golang-go (macOS: brew install go)" },
  "python3-socketio": {
    programs: ["python3", "/usr/bin/python3"],
    modules: ["socketio", "aiohttp"],
    remedy: "apt-get install python3-socketio python3-aiohttp (elsewhere: pip install python-socketio aiohttp)",
  },
  schemathesis: {
    // Where npm test puts it: it is in no distribution's packages.
    programs: [join(homedir(), ".cache/bellwire/schemathesis/bin/schemathesis"), "schemathesis"],
    remedy: "pipx install schemathesis",
  },
} satisfies Record<string, Tool>;

export type ToolName = keyof typeof tools;

/**
 * The path of a program that a suite can't do without. Where it is missing, the suite is skipped with the line to run;
 * in CI, where nothing may be skipped, that is a failure.
 * @example
 * before(function () {
 *   redis = requires("redis-server", this);
 * });
 */
export function requires(name: ToolName, context: Context): string {
  const tool: Tool = tools[name];
  const found = programOf(name);
  if (found !== undefined) return found;
  const message = `needs ${name}, which is missing: ${tool.remedy}`;
  if (process.env.CI === "true") throw new Error(message);
  console.log(`skip ${context.test?.parent?.fullTitle() ?? "a suite"}: ${message}`);
  // On a developer's own machine only: CI has failed above.
  return context.skip();
}

/** The path of a program, the best there is, or undefined. */
export function programOf(name: ToolName): string | undefined {
  const { programs, modules = [] }: Tool = tools[name];
  return programs.map(locate).find((path) => path !== undefined && imports(path, modules));
}

/** Where a program is, or undefined. */
function locate(program: string): string | undefined {
  if (/[\\/]/.test(program)) return existsSync(program) ? program : undefined;
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  // Debian keeps nginx and haproxy in /usr/sbin, which is not on everybody's path.
  if (process.platform !== "win32") folders.push("/usr/sbin", "/usr/local/sbin");
  return folders.flatMap((folder) => [join(folder, program), join(folder, `${program}.exe`)]).find((path) => existsSync(path));
}

function imports(python: string, modules: readonly string[]): boolean {
  return modules.length === 0 || spawnSync(python, ["-c", `import ${modules.join(", ")}`], { stdio: "ignore" }).status === 0;
}
