import { describe, expect, test } from "vitest";
import { RetryBudget } from "../../src/pool/limits/retry-budget.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function budgetOf(budget: number, minRetriesPerSecond: number) {
  const clock = new VirtualClock();
  const retries = new RetryBudget({ budget, minRetriesPerSecond }, clock);
  /** Withdraws all retries, and returns their number. */
  const drain = (atMost = 10_000) => {
    let taken = 0;
    while (taken < atMost && retries.tryWithdraw()) taken++;
    return taken;
  };
  const deposit = (count: number) => {
    for (let made = 0; made < count; made++) retries.deposit();
  };
  return { clock, retries, drain, deposit };
}

describe("the share", () => {
  test.each([
    [0.2, 100, 20],
    [0.5, 7, 3],
    [1, 4, 4],
    [0.2, 4, 0],
    [0, 1_000, 0],
  ])("%s of %s requests allows %s retries", (share, requests, retries) => {
    const { drain, deposit } = budgetOf(share, 0);
    deposit(requests);
    expect(drain()).toBe(retries);
  });

  test("grows with further requests, and is spent once", () => {
    const { drain, deposit } = budgetOf(0.2, 0);
    deposit(50);
    expect(drain()).toBe(10);
    deposit(5);
    expect(drain()).toBe(1);
    expect(drain()).toBe(0);
  });
});

describe("the minimum", () => {
  test("is available without traffic, for the whole window at once", () => {
    const { drain } = budgetOf(0, 3);
    expect(drain()).toBe(30);
  });

  test("is added to the share", () => {
    const { drain, deposit } = budgetOf(0.2, 1);
    deposit(100);
    expect(drain()).toBe(30);
  });
});

describe("the window", () => {
  test("forgets requests after ten seconds", () => {
    const { clock, drain, deposit } = budgetOf(0.2, 0);
    deposit(100);
    clock.advance(9_999);
    expect(drain(5)).toBe(5);
    clock.advance(1);
    expect(drain()).toBe(0);
  });

  test("gives a retry back ten seconds after it was made", () => {
    const { clock, drain } = budgetOf(0, 1);
    expect(drain(4)).toBe(4);
    clock.advance(5_000);
    expect(drain()).toBe(6);
    clock.advance(4_999);
    expect(drain()).toBe(0);
    clock.advance(1);
    expect(drain()).toBe(4);
    clock.advance(5_000);
    expect(drain()).toBe(6);
  });

  test("slides by the second", () => {
    const { clock, drain, deposit } = budgetOf(1, 0);
    for (let second = 0; second < 10; second++) {
      deposit(1);
      clock.advance(1_000);
    }
    expect(drain()).toBe(9);
  });

  test("handles any pause, and a clock that does not start at zero", () => {
    const { clock, drain, deposit, retries } = budgetOf(0.5, 0);
    deposit(10);
    clock.advance(7_654_321);
    expect(drain()).toBe(0);
    deposit(10);
    expect(drain()).toBe(5);
    expect(retries.exhausted).toBe(2);
  });

  test("bounds steady retries to their share", () => {
    const { clock, deposit, retries } = budgetOf(0.2, 0);
    let made = 0;
    for (let tick = 0; tick < 6_000; tick++) {
      deposit(2);
      for (let failed = 0; failed < 2; failed++) if (retries.tryWithdraw()) made++;
      clock.advance(10);
    }
    expect(made / 12_000).toBeGreaterThan(0.19);
    expect(made / 12_000).toBeLessThanOrEqual(0.201);
  });
});
