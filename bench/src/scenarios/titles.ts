import type { Peer } from "../peers/peer.js";

export function titlesOf(peers: readonly Peer[]): (name: string) => string {
  return (name) => peers.find((peer) => peer.name === name)?.title ?? name;
}

export function peerNamed(peers: readonly Peer[], name: string): Peer {
  const peer = peers.find((one) => one.name === name);
  if (peer === undefined) throw new Error(`There is no peer ${name} in this run`);
  return peer;
}
