// Imported first by every script: an old Node gets one clear line instead of a syntax error from deep inside.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Bellwire needs Node 20.19 or newer; this is ${process.versions.node}. Get it from https://nodejs.org/`);
  process.exit(1);
}
