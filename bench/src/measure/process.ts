import { readdirSync, readFileSync } from "node:fs";

/**
 * Nanoseconds of CPU that a process has used so far, all its threads, as the kernel's scheduler counted them. Threads that
 * have ended are not in it, so only differences over a span in which none ends mean something: node and Redis keep theirs.
 */
export function cpuOf(pid: number): number {
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ", 1)[0]);
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return total;
}

/** Bytes of memory that a process has resident now, and had at most. */
export function memoryOf(pid: number): { rss: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
  return { rss: kilobytes("VmRSS") * 1024, peak: kilobytes("VmHWM") * 1024 };
}
