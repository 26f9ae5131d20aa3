import type { NoticeStore, Turn } from "../notices.js";

/** Of a relay that is alone: nobody would tell its notices. */
export class MemoryNotices implements NoticeStore {
  start(): void {}
  setParty(): void {}
  deleteParty(): void {}
  setNotice(): void {}
  deleteNotice(): void {}

  async occupy(): Promise<Turn> {
    return { turned: true, time: Date.now() };
  }

  async vacateFor(): Promise<Turn> {
    return { turned: true, time: Date.now() };
  }

  async close(): Promise<void> {}
}
