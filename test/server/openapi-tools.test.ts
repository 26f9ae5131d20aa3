import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { Validator } from "@seriousme/openapi-schema-validator";
import { expect } from "chai";
import openapiTS, { astToString } from "openapi-typescript";
import { codes } from "@bellwire/protocol";
import { openApi } from "../../server/src/http/openapi.js";
import { requires } from "../house/requires.js";
import { Stage } from "./stage.js";

const STUB = "./api.js";

/** A caller of the API, as somebody writes one who has the document alone. */
const CALLER = `
import type { components, paths } from "${STUB}";

type Body<Path extends "/v1/sites/{site}/publish"> = paths[Path]["post"]["requestBody"]["content"]["application/json"];
export const one: Body<"/v1/sites/{site}/publish"> = { topic: "Contact_Updated_Topic", data: { id: 5 } };
export const personal: Body<"/v1/sites/{site}/publish"> = { user: "ann", data: { id: 5, deep: { list: [1, "x"] } }, except: { client: "c" } };
export const several: Body<"/v1/sites/{site}/publish"> = { messages: [{ topics: ["a", "b"], data: { id: 5 } }, { session: "s" }] };
export const subscribe: components["schemas"]["Subscribe"] = { user: "ann", topic: "T", filter: { id: [5, 6], type: null } };
export const disconnect: components["schemas"]["Disconnect"] = { client: "c", code: "limit", reason: { code: 5 } };
export const silent: components["schemas"]["Disconnect"] = { session: "s" };

export function idOf(history: components["schemas"]["History"]): unknown {
  const [message] = history.messages;
  if (message === undefined) return undefined;
  const [offset, time, data] = message;
  return data["id"] ?? offset + time;
}
export function words({ error }: components["schemas"]["Failure"]): string {
  return error.code === "limit" ? String(error.after) : \`\${error.retry}: \${String(error.reason?.code)} \${String(error.reason?.["more"])}\`;
}

// @ts-expect-error a misspelled field
export const misspelled: Body<"/v1/sites/{site}/publish"> = { topic: "T", dat: { id: 5 } };
// @ts-expect-error data is an object
export const wrong: Body<"/v1/sites/{site}/publish"> = { topic: "T", data: 5 };
`;

describe("what others make of the OpenAPI document", function () {
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  it("is no error of two validators", async () => {
    const result = await new Validator().validate(structuredClone(openApi()));
    expect(result.errors, JSON.stringify(result.errors)).to.equal(undefined);
    const config = await createConfig({
      rules: { struct: "error", "no-unresolved-refs": "error", "no-invalid-media-type-examples": "error" },
    });
    const problems = await lintFromString({ source: JSON.stringify(openApi()), absoluteRef: "openapi.json", config });
    expect(problems.map(({ message, location }) => [message, location[0]?.pointer])).to.deep.equal([]);
  });

  it("is a stub in TypeScript that compiles, with any data", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bellwire-stub-"));
    stage.closeLater(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    await writeFile(join(folder, "api.d.ts"), astToString(await openapiTS(structuredClone(openApi()) as never)));
    await writeFile(join(folder, "caller.ts"), CALLER);
    const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
    const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext"];
    const { status, stdout } = spawnSync(process.execPath, [compiler, ...options, "caller.ts"], { cwd: folder, encoding: "utf8" });
    expect(status, stdout).to.equal(0);
  });

  it("names every code of the contract", () => {
    const { components } = openApi() as { components: { schemas: { Error: { properties: { code: { enum: string[] } } } } } };
    expect(components.schemas.Error.properties.code.enum).to.deep.equal(Object.keys(codes));
  });
});

/** What has to be told in the document; which values are right its schemas can't say in full (bytes, combinations, null). */
const CHECKS =
  "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";
const SECONDS = 15;

describe("a fuzzer over the OpenAPI document", function () {
  this.timeout(90_000);
  const stage = Stage.forEachTest();
  let schemathesis: string;
  before(function () {
    schemathesis = requires("schemathesis", this);
  });

  it("finds nothing that is not documented", async () => {
    const relay = await stage.relay();
    const folder = await mkdtemp(join(tmpdir(), "bellwire-fuzz-"));
    stage.closeLater(() => rm(folder, { recursive: true, force: true }));
    const args = ["run", `${relay.httpUrl}/v1/openapi.json`, "--header", `Authorization: Bearer ${relay.apiKey}`];
    const how = ["--checks", CHECKS, "--max-time", String(SECONDS), "--seed", "1", "--no-shrink", "--warnings", "off"];
    const child = spawn(schemathesis, [...args, ...how], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    stage.closeLater(() => child.kill("SIGKILL"));
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (printed += data.toString()));
    const status = await new Promise((resolve) => child.once("close", resolve));
    expect(status, printed.replace(/^(.{300}).*$/gm, "$1...").slice(-10_000)).to.equal(0);
    expect(printed).to.match(/[1-9]\d* operations? .*tested|Operations:\s+\d+ selected/i);
  });
});
