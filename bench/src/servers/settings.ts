/** What a server process is told at its start. */
export interface ServerSettings {
  readonly redis: string;
  /** 0: any free one. */
  readonly port: number;
  /** Signs the tokens that clients come with; absent where a peer takes clients without. */
  readonly appKey?: string;
  /** Whether clients are spread over sites: namespaces, for Socket.IO. */
  readonly sites?: boolean;
  /** For the peer `ws`: writes a finished frame to the TCP socket instead of calling `send`. */
  readonly rawWrites?: boolean;
}

export interface ServerReady {
  readonly port: number;
}

/** Heap and memory outside it right after a collection, in bytes. */
export interface HeapReading {
  readonly heap: number;
  readonly external: number;
}

export function collect(): HeapReading {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Start with --expose-gc");
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, external };
}
