/** When the facts about a member have begun, in milliseconds since 1970. Written at transitions only, never by a request. */
export class Transitions {
  /** It has joined the pool, again if it had left. */
  joined: number;
  /** Its state was set. */
  state: number;
  /** Its health has changed. */
  health: number;
  /** It was held back until its first verdict, or released. */
  held: number;
  /** Its first ejection since it was last readmitted. */
  ejected: number;
  /** It has become half-open. */
  trial: number;
  readmitted: number;
  /** Its slow start has begun. */
  warming: number;
  /** Its slow start has ended. */
  warm: number;

  constructor(joined: number) {
    this.joined = joined;
    this.state = joined;
    this.health = joined;
    this.held = joined;
    this.ejected = joined;
    this.trial = joined;
    this.readmitted = joined;
    this.warming = joined;
    this.warm = joined;
  }

  /** When the last of the facts has ended that keep a member from its full share of the traffic. */
  get inService(): number {
    return Math.max(this.joined, this.state, this.health, this.held, this.readmitted, this.warm);
  }
}
