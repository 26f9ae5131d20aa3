export interface ClocksOptions {
  /** The clock that revocations go by, epoch seconds. */
  readonly now: () => number;
  /** Told in a sentence where a site's tokens look as if clocks differ; once for each that says something new. */
  readonly onDiffering: (message: string) => void;
}

/** What is known of the clock that a site's tokens are dated by. */
interface Dating {
  /** The furthest that a token was ahead, seconds: within this period, and the one before it. */
  lead: number;
  earlier: number;
  /** Epoch seconds. */
  since: number;
  /** How many tokens in a row were old, and how old the youngest of them was, seconds. */
  old: number;
  youngest: number;
  toldAhead: number;
  toldBehind: boolean;
}

/** Further ahead than this no token is taken. */
const MOST_LEAD = 60;
/** A token takes a moment from its backend to the relay, so that the lead it shows is less than its clock's; and may leave fractions out. */
const WAY = 2;
/** What shows a clock for the first time, and not the fractions that clocks differ by everywhere. */
const EVIDENT = 1;
const WORTH_TELLING = 5;
const OLD = 30;
const OLD_IN_A_ROW = 5;
const PERIOD = 24 * 3600;
/** Sites with keys of ours sign, so there are no more than those; whoever has more forgets the oldest. */
const MOST_SITES = 10_000;

/**
 * Reads when a token was issued by the clock that revocations go by. A backend's clock that is ahead dates its tokens later than they
 * are, and they would outlive a revocation by as much. What comes from the future gives such a clock away: from then on so much is
 * taken off what this site's tokens say. Where nothing comes from there nothing is taken off.
 */
export class Clocks {
  readonly #options: ClocksOptions;
  readonly #sites = new Map<string, Dating>();

  constructor(options: ClocksOptions) {
    this.#options = options;
  }

  /** Epoch seconds, by the clock that revocations go by. */
  get now(): number {
    return this.#options.now();
  }

  /**
   * Takes note of a token whose signature holds.
   * @param iat as it says
   * @returns the earliest time at which it may have been issued
   */
  issued(site: string, iat: number): number {
    const lead = iat - this.now;
    const dating = this.#of(site, lead);
    const known = dating === undefined ? 0 : Math.max(dating.lead, dating.earlier);
    // Seen for the first time, a lead says no more than that the clock is ahead, by that or by more.
    const unforeseen = lead > EVIDENT && lead > withWay(known);
    const taken = unforeseen ? MOST_LEAD : withWay(Math.max(known, lead, 0));
    if (dating !== undefined) this.#note(site, dating, lead);
    return iat - Math.min(taken, MOST_LEAD);
  }

  /** Undefined where there is nothing to remember. */
  #of(site: string, lead: number): Dating | undefined {
    const found = this.#sites.get(site);
    if (found === undefined) {
      if (lead <= 0 && lead > -OLD) return undefined; // as most are: no room is taken for them
      if (this.#sites.size >= MOST_SITES) this.#sites.delete(this.#sites.keys().next().value as string);
      const made = { lead: 0, earlier: 0, since: this.now, old: 0, youngest: Infinity, toldAhead: 0, toldBehind: false };
      this.#sites.set(site, made);
      return made;
    }
    if (this.now - found.since > PERIOD) Object.assign(found, { earlier: found.lead, lead: 0, since: this.now });
    return found;
  }

  #note(site: string, dating: Dating, lead: number): void {
    const { onDiffering } = this.#options;
    // Further ahead it is refused, and says nothing of the others: it may be in milliseconds.
    if (lead <= MOST_LEAD) dating.lead = Math.max(dating.lead, lead);
    if (lead > WORTH_TELLING && lead > withWay(dating.toldAhead)) {
      dating.toldAhead = lead;
      onDiffering(
        `site ${site}: a token was issued ${lead.toFixed(0)} s in the future: the backend's clock is ahead, or the relay's behind; set them by NTP`,
      );
    }
    dating.old = lead < -OLD ? dating.old + 1 : 0;
    dating.youngest = dating.old > 1 ? Math.min(dating.youngest, -lead) : -lead;
    if (dating.old < OLD_IN_A_ROW || dating.toldBehind) return;
    dating.toldBehind = true;
    onDiffering(
      `site ${site}: the last ${dating.old} tokens were issued ${dating.youngest.toFixed(0)} s ago or earlier: if they were fresh, the backend's clock is behind, or the relay's ahead; set them by NTP`,
    );
  }
}

function withWay(lead: number): number {
  return lead + Math.min(lead, WAY);
}
