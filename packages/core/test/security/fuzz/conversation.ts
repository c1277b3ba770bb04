/** A client that does as its plan says, and waits for whatever it may still expect. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { type End, type Reading, StrictClient, saysClose } from "../../support/raw-client.ts";
import type { ClientPlan, Leaving } from "./input.ts";
import { mutate } from "./mutations.ts";
import { cut } from "./pacing.ts";
import { readSentRequests, type SentRequests } from "./sent-requests.ts";
import { tagPlace } from "./tag.ts";

export interface Conversation extends Reading {
  readonly bytes: Buffer;
  /** What was sent of them. */
  readonly sent: SentRequests;
  /** How the connection ended; undefined when it did not. */
  readonly how: End | undefined;
  /** The client ended it before it had what it asked for. */
  readonly left: boolean;
  /** A good request was sent behind the plan's. */
  readonly asked: boolean;
  /** What it was answered. */
  readonly sentinel: string | undefined;
  readonly text: string;
}

/** Nothing takes that long, on a machine with much else to do as well. */
const hangMs = 30_000;
/** Leaving behind so many bytes at most falls within what most answers have. */
const mostReceived = 500;

export async function converse(port: number, plan: ClientPlan, tag: string): Promise<Conversation> {
  const bytes = Buffer.from(mutate(plan.requests.join("").replaceAll(tagPlace, tag), plan.mutations), "latin1");
  const { leave } = plan;
  const until = leave?.side === "sent" ? leave.at % (bytes.length + 1) : bytes.length;
  const enough = leave?.side === "received" ? leave.at % mostReceived : Infinity;
  const sent = readSentRequests(bytes.subarray(0, until));
  const client = await StrictClient.to(port);
  const read = () => client.read(sent.methods).responses;
  await send(client, cut(bytes.subarray(0, until), plan.cuts));
  if (leave?.side !== "sent") {
    await client.when(() => client.received.length >= enough || isAnswered(read(), sent), hangMs);
  }
  const answered = read().length;
  const next =
    client.how === undefined
      ? nextStep(read(), sent, leave !== undefined && (leave.side === "sent" || client.received.length >= enough))
      : "nothing";
  if (next === "leave") depart(client, leave?.how ?? "fin");
  if (next === "end") depart(client, "fin");
  if (next === "ask") client.socket.write(`GET /victim/${tag} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
  await client.when(() => client.how !== undefined, hangMs);
  const reading = client.read(sent.methods);
  const { how, text } = client;
  client.socket.destroy();
  const extra = next === "ask" ? reading.responses[answered] : undefined;
  return {
    ...reading,
    responses: reading.responses.filter((response) => response !== extra),
    bytes,
    sent,
    how,
    left: next === "leave",
    sentinel: extra && `${extra.status} ${extra.body.toString("latin1")}`,
    asked: next === "ask",
    text,
  };
}

/** What the client does when it has what it waits for, or does not wait any longer. */
function nextStep(responses: Reading["responses"], { requests, end, strayLineEnds }: SentRequests, leaves: boolean) {
  const last = responses.at(-1);
  if (leaves) return "leave";
  if (last?.status === 101) return "end";
  const whole = responses.filter(({ complete }) => complete).length;
  if (end === "last" || (last !== undefined && saysClose(last))) return "nothing";
  // It has waited in vain.
  if (whole < requests.filter(({ complete }) => complete).length) return "nothing";
  return end === "clean" && !strayLineEnds ? "ask" : "end";
}

async function send(client: StrictClient, pieces: readonly Buffer[]): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await nextTurn();
    if (client.how !== undefined) return;
    client.socket.write(piece);
  }
}

function depart({ socket }: StrictClient, how: Leaving): void {
  if (how === "fin") socket.end();
  else socket.resetAndDestroy();
}

/** Every whole request has its whole answer, or the connection has been told to end. */
function isAnswered(responses: Reading["responses"], { requests }: SentRequests): boolean {
  const last = responses.at(-1);
  const whole = responses.filter(({ complete }) => complete);
  if (last?.complete === true && (saysClose(last) || last.status === 101)) return true;
  return whole.length >= requests.filter(({ complete }) => complete).length;
}
