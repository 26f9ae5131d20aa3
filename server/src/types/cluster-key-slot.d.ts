declare module "cluster-key-slot" {
  /** The Cluster slot, 0 to 16383, of a key or channel name. */
  export default function calculateSlot(key: string): number;
}
