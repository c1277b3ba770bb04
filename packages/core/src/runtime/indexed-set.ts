/** What a roster can hold. It can be in one roster at a time. */
export interface Listed {
  /** Where it stands in its roster, which alone reads and writes it. */
  place?: number;
}

/**
 * A set for members that come and go all the time, as requests do.
 *
 * A `Set` would do, but for the garbage collector. When V8 has filled the table of one with what has come and gone, it makes
 * a new table, and the old one goes on pointing to the new one. Once a table has got into the old generation, as
 * all that is alive does in a full collection, no scavenge ever frees its successors, nor whoever was in them: each
 * request is copied twice, with all that hangs on it, long after it is over.
 */
export class IndexedSet<Member extends Listed> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  has(member: Member): boolean {
    return member.place !== undefined && this.#members[member.place] === member;
  }

  add(member: Member): void {
    if (this.has(member)) return;
    member.place = this.#members.length;
    this.#members.push(member);
  }

  /** Takes it out, if it is in; the last one takes its place. */
  delete(member: Member): void {
    if (!this.has(member)) return;
    const last = this.#members.pop() as Member;
    if (last === member) return;
    this.#members[member.place as number] = last;
    last.place = member.place as number;
  }

  /** Visits each that is in now, unless it has been taken out when its turn comes. */
  forEach(visit: (member: Member) => void): void {
    for (const member of [...this.#members]) {
      if (this.has(member)) visit(member);
    }
  }
}
