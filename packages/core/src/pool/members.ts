import type { ResolvedUpstream } from "../config/resolved.ts";
import { Member } from "./upstream.ts";

/** Who belongs to a pool, and who has left it and is still finishing what it began. */
export class Members {
  readonly #leaving = new Set<Member>();
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #list: readonly Member[] = Object.freeze([]);

  /** In order. A new frozen list after each change. */
  get list(): readonly Member[] {
    return this.#list;
  }

  find(id: string): Member | undefined {
    return this.#list.find((member) => member.id === id);
  }

  join(options: ResolvedUpstream): Member {
    const member = new Member(options, this.#freeSlots.pop() ?? this.#nextSlot++);
    this.#list = Object.freeze([...this.#list, member]);
    return member;
  }

  leave(member: Member): void {
    member.removed = true;
    this.#list = Object.freeze(this.#list.filter((other) => other !== member));
    this.#leaving.add(member);
  }

  /** Forgets a member that has left and has nothing to finish; false as long as it is not so. */
  forgetIfDrained(member: Member): boolean {
    if (!member.removed || !member.idle || !this.#leaving.delete(member)) return false;
    this.#freeSlots.push(member.slot);
    return true;
  }

  sortBy(ids: readonly string[]): void {
    const place = new Map(ids.map((id, index) => [id, index]));
    const order = (member: Member) => place.get(member.id) ?? 0;
    this.#list = Object.freeze([...this.#list].sort((a, b) => order(a) - order(b)));
  }

  /** Over those who have left, too. */
  sum(of: (member: Member) => number): number {
    let sum = 0;
    for (const member of this.all()) sum += of(member);
    return sum;
  }

  /** Those who have left included. */
  *all(): Iterable<Member> {
    yield* this.#list;
    yield* this.#leaving;
  }
}
