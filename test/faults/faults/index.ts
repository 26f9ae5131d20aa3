import { channelsKilled } from "./channels-killed.js";
import { clusterFailover, slotMigration } from "./cluster.js";
import type { Fault } from "./fault.js";
import { frozenClients } from "./frozen-clients.js";
import { garbage } from "./garbage.js";
import { halfOpen } from "./half-open.js";
import { lineCut } from "./line-cut.js";
import { neighbours } from "./neighbours.js";
import { publisherKilled } from "./publisher-killed.js";
import { publisherStuck } from "./publisher-stuck.js";
import { redisAppendOnly, redisKill, redisSnapshot, redisStop } from "./redis-ends.js";
import { flushAll, memoryEvicts, memoryFull, scriptFlush } from "./redis-forgets.js";
import { relayKill, relayStop, relayTerm } from "./relay-ends.js";
import { relayCutOff, relayInTheDark, relayStalled } from "./relay-network.js";
import { sentinelFailover } from "./sentinel.js";

/** All that goes wrong, in the order of the plan. */
export const FAULTS: readonly Fault[] = [
  lineCut,
  halfOpen,
  frozenClients,
  relayKill,
  relayStop,
  relayTerm,
  channelsKilled,
  redisKill,
  redisSnapshot,
  redisAppendOnly,
  flushAll,
  scriptFlush,
  redisStop,
  memoryFull,
  memoryEvicts,
  neighbours,
  sentinelFailover,
  clusterFailover,
  slotMigration,
  relayCutOff,
  relayInTheDark,
  relayStalled,
  publisherKilled,
  publisherStuck,
  garbage,
];
