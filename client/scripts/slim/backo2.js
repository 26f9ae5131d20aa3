// The client reconnects by itself, so the manager's backoff is never asked.
export class Backoff {
  attempts = 0;
  reset() {}
  setMin() {}
  setMax() {}
  setJitter() {}
}
