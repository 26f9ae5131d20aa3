import { readFileSync } from "node:fs";
import { Command } from "commander";
import type { DoctorFlags } from "./doctor.js";

/**
 * The command line: what can be asked, and where each answer is. A command's file is loaded when it is called, so that
 * `bellwire publish` does not wait for a relay's parts.
 */
export function createProgram(): Command {
  const program = new Command("bellwire").description("Self-hosted realtime notifications").version(version());
  // Nothing of commander's own on standard error: what it throws becomes one line.
  program.exitOverride().configureOutput({ writeErr: () => undefined });

  program
    .command("serve")
    .description("Run a relay")
    .option("--workers <number>", "processes to run on this machine's cores; more than one needs Redis", "1")
    .action(async (options: { workers: string }) => (await import("./serve.js")).serve(options));

  program
    .command("init")
    .description("Write a .env with random keys into this folder")
    .option("--force", "replace a .env that is there; it is kept as .env.backup")
    .action(async (options: { force?: true }) => (await import("./init.js")).init(options));

  program
    .command("publish")
    .description("Publish one message, over Redis or the HTTP API as the environment says")
    .argument("<site>", "the tenant")
    .argument("<topic>")
    .argument("[json]", "the message's data, an object; - reads it from standard input", "{}")
    .option("--via <way>", "redis or http; by default Redis where the environment names one")
    .option("--idempotency-key <key>", "publishing again with the same key publishes once")
    .action(async (site: string, topic: string, json: string, options: { via?: string; idempotencyKey?: string }) =>
      (await import("./publish.js")).publish(site, topic, json, options),
    );

  program
    .command("subscribe")
    .description("Print what a topic's subscribers hear, one line of JSON each, until Ctrl-C")
    .argument("<site>", "the tenant")
    .argument("<topic>")
    .option("--filter <json>", "only messages that match")
    .option("--count <number>", "end after so many lines")
    .option("--user <id>", "connect as this user; by default as nobody")
    .option("--session <id>", "connect in this session")
    .option("--no-replay", "leave out the topic's last message")
    .action(async (site: string, topic: string, options: object) =>
      (await import("./subscribe.js")).subscribe(site, topic, options as never),
    );

  addToken(program);

  program
    .command("stats")
    .description("Show what is open on the relays")
    .option("--json", "as one line of JSON")
    .action(async (options: { json?: true }) => (await import("./stats.js")).stats(options));

  program
    .command("doctor")
    .description("Check the settings, Redis and the relay, up to a message that arrives")
    .option("--site <site>", "the site to publish to", "bellwire-doctor")
    .option("--user <id>", "the user to subscribe as", "bellwire-doctor")
    .option("--endpoint <url>", "a backend's token endpoint: ask it as a page does, and show the relay its token")
    .option("--header <line>", 'a header for the endpoint, such as "Cookie: session=..."; may be given several times', collect)
    .option("--topic <topic>", "a topic to ask the endpoint for, too")
    .option("--token <token>", "a connection token to show the relay, e.g. from a browser")
    .action(async (options: DoctorFlags) => (await import("./doctor.js")).doctor(options));

  program
    .command("new")
    .description("Write a starting point")
    .command("hook")
    .description("A backend's answer to one kind of question: connect, refresh, subscribe, publish, rpc or notices")
    .argument("<event>")
    .requiredOption("--lang <language>", "php, ruby, python, go or node")
    .option("--out <file>", "write there, where nothing is yet; by default to standard output")
    .action(async (event: string, options: { lang: string; out?: string }) => (await import("./new-hook.js")).newHook(event, options));

  return program;
}

function addToken(program: Command): void {
  const token = program.command("token").description("Sign a token with APP_KEY and print it");
  const common = (command: Command): Command =>
    command
      .requiredOption("--site <site>", "the one site that it is good for")
      .option("--user <id>", "by default nobody")
      .option("--session <id>")
      .option("--topic <topic>", "what it grants; may end in *, and be given several times", collect)
      .option("--filter <json>", "what the grants are limited to")
      .option("--ttl <duration>", "how long it may be used: seconds, or 5m, 2h", "60")
      .option("--until <moment>", "when what it opens ends: epoch seconds, a date, or a duration from now such as 2h");
  common(token.command("connect").description("Opens a connection"))
    .option("--info <json>", "shown to others where a topic has presence")
    .action(async (options: object) => (await import("./token.js")).connectToken(options as never));
  common(token.command("subscribe").description("Allows subscriptions")).action(async (options: object) =>
    (await import("./token.js")).subscribeToken(options as never),
  );
}

function collect(item: string, list: readonly string[] = []): string[] {
  return [...list, item];
}

function version(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
