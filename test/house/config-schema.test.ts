import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { format } from "prettier";
import { fileJsonSchema } from "@bellwire/server";

const PUBLISHED = new URL("../../docs/config.schema.json", import.meta.url);

describe("the configuration file's JSON Schema", () => {
  it("is published as the relay reads the file (UPDATE=1 writes it)", async () => {
    const schema = await format(JSON.stringify(fileJsonSchema()), { parser: "json", printWidth: 140 });
    if (process.env.UPDATE === "1") writeFileSync(PUBLISHED, schema);
    expect(readFileSync(PUBLISHED, "utf8")).to.equal(schema);
  });
});
