// Fails where the script-tag bundle, gzipped, is larger than promised. Build it first: npm run build:bundle
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 18_000;

const file = new URL("../dist/bundle/client.js", import.meta.url);
const size = gzipSync(readFileSync(file), { level: 9 }).length;
console.log(`client.js: ${size} bytes gzipped, at most ${LIMIT}`);
if (size > LIMIT) process.exit(1);
