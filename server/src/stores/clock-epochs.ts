/**
 * Epochs that are taken from a clock, as both logs of ours take them: microseconds since 1970 in decimal digits. What a later one
 * begins is newer. Nobody but a log that makes them may know this.
 */
export const isClockEpoch = (epoch: string): boolean => /^\d{1,17}$/.test(epoch);

/** When it began, epoch milliseconds. @param epoch of this kind */
export const beganAt = (epoch: string): number => Number(epoch) / 1000;

/** @param a and `b`: epochs of this kind */
export const isNewerClockEpoch = (a: string, b: string): boolean => BigInt(a) > BigInt(b);
