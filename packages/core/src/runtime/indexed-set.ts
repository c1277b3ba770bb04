/** A member of an `IndexedSet`. It can be in one set at a time. */
export interface IndexedSetMember {
  /** Its index in the set. Only the set reads and writes it. */
  index?: number;
}

/**
 * An array-indexed set with swap-remove, for members that live as briefly as requests.
 *
 * A `Set` is worse for the garbage collector. When the table of a `Set` is full of deleted entries, V8 allocates a new
 * table, and the old table keeps pointing to the new one. A full collection moves the live table to the old generation.
 * From then on no scavenge frees its successors or their entries, so each request and all that it references is copied
 * twice, long after the request has ended.
 */
export class IndexedSet<Member extends IndexedSetMember> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  has(member: Member): boolean {
    return member.index !== undefined && this.#members[member.index] === member;
  }

  add(member: Member): void {
    if (this.has(member)) return;
    member.index = this.#members.length;
    this.#members.push(member);
  }

  /** Removes the member, if present, and moves the last member to its index. */
  delete(member: Member): void {
    if (!this.has(member)) return;
    const last = this.#members.pop() as Member;
    if (last === member) return;
    this.#members[member.index as number] = last;
    last.index = member.index as number;
  }

  /** Visits the members present at the call, except those removed before their turn. */
  forEach(visit: (member: Member) => void): void {
    for (const member of [...this.#members]) {
      if (this.has(member)) visit(member);
    }
  }
}
