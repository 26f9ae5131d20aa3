import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect } from "chai";
import { chooseCoding } from "../../server/src/http/coding.js";
import { Stage } from "./stage.js";

interface Raw {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A request whose answer nobody decompresses. */
function get(url: string, headers: Record<string, string>, method = "GET"): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { headers, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("end", () =>
        resolve({ status: response.statusCode as number, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.once("error", reject);
    request.end();
  });
}

describe("the browser's scripts", () => {
  const stage = Stage.forEachTest();

  for (const name of ["client.js", "element.js"]) {
    it(`${name} comes as small as the browser takes it, each coding with an etag of its own`, async () => {
      const relay = await stage.relay();
      const url = `${relay.httpUrl}/${name}`;
      const [plain, br, gzip] = (await Promise.all(
        ["identity", "gzip, deflate, br", "gzip"].map((accept) => get(url, { "accept-encoding": accept })),
      )) as [Raw, Raw, Raw];
      expect([plain, br, gzip].map(({ status, headers }) => [status, headers["content-encoding"]])).to.deep.equal([
        [200, undefined],
        [200, "br"],
        [200, "gzip"],
      ]);
      expect(brotliDecompressSync(br.body).equals(plain.body)).to.equal(true);
      expect(gunzipSync(gzip.body).equals(plain.body)).to.equal(true);
      expect(br.body.length).to.be.below(gzip.body.length);
      expect(gzip.body.length).to.be.below(plain.body.length / 2);
      expect(new Set([plain, br, gzip].map(({ headers }) => headers.etag)).size).to.equal(3);
      for (const { headers } of [plain, br, gzip]) {
        expect(headers.vary).to.equal("accept-encoding");
        expect(headers["content-type"]).to.equal("text/javascript; charset=utf-8");
        // A cache that holds it in one coding holds it for all.
        const again = await get(url, { "accept-encoding": "br", "if-none-match": headers.etag as string });
        expect([again.status, again.body.length, again.headers.etag]).to.deep.equal([304, 0, br.headers.etag]);
      }
      const head = await get(url, { "accept-encoding": "br" }, "HEAD");
      expect([head.status, head.headers["content-length"]]).to.deep.equal([200, String(br.body.length)]);
    });
  }

  it("comes as it is to those who say nothing, or no", () => {
    const cases: [header: string | undefined, expected: string][] = [
      [undefined, "identity"],
      ["", "identity"],
      ["gzip, deflate, br, zstd", "br"],
      ["GZIP;q=0.5", "gzip"],
      ["br;q=0, gzip", "gzip"],
      ["br; q=0.0, *", "gzip"],
      ["*", "br"],
      ["*;q=0", "identity"],
      ["deflate", "identity"],
      ["br;q=nonsense", "identity"],
    ];
    for (const [header, expected] of cases) expect(chooseCoding(header), header).to.equal(expected);
  });
});
