import type { WorkerEnd } from "@evenkeel/admin";
import type { Logger } from "pino";
import { Failure, messageOf } from "../failure.ts";
import { afterArrived } from "./after-arrived.ts";
import { BackOff } from "./back-off.ts";
import { Heartbeat } from "./heartbeat.ts";
import { workerLimits } from "./limits.ts";
import { type PrimaryMessage, protocol, type Question, type StartMessage } from "./primary-messages.ts";
import type { WorkerMessage } from "./worker-messages.ts";
import { type WithoutNumber, type WorkerOutput, WorkerProcess } from "./worker-process.ts";

export interface SupervisorOptions {
  /** The number of workers. */
  readonly size: number;
  /** The file of the command. */
  readonly entry: string;
  readonly output: WorkerOutput;
  readonly logger: Logger;
}

export interface SupervisorEvents {
  /** What a new worker is given. From now on it receives what all workers receive. */
  readonly startMessage: (number: number, id: string) => StartMessage;
  readonly ready: (worker: WorkerProcess) => void;
  readonly message: (worker: WorkerProcess, message: WorkerMessage) => void;
  readonly pong: (worker: WorkerProcess) => void;
  readonly ended: (worker: WorkerProcess) => void;
}

/** The place of a worker, which its replacements take. */
interface Place {
  readonly number: number;
  readonly backOff: BackOff;
  readonly restarts: Partial<Record<WorkerEnd, number>>;
  worker: WorkerProcess | undefined;
  heartbeat: Heartbeat;
  retry: NodeJS.Timeout | undefined;
  /** That its worker has sent since the last beat. */
  messages: number;
}

/** Keeps a number of workers running: replaces those that end, stall, or do not confirm a change in time. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #events: SupervisorEvents;
  readonly #places: readonly Place[];
  #timer: NodeJS.Timeout | undefined;
  #lastBeat = performance.now();
  #incarnations = 0;
  #started = false;
  #stopping = false;
  #failStart: (why: Failure) => void = () => {};
  #completeStart: () => void = () => {};

  constructor(options: SupervisorOptions, events: SupervisorEvents) {
    this.#options = options;
    this.#events = events;
    this.#places = Array.from({ length: options.size }, (_, index) => ({
      number: index + 1,
      backOff: new BackOff(),
      restarts: {},
      worker: undefined,
      heartbeat: new Heartbeat(workerLimits.missedBeats),
      retry: undefined,
      messages: 0,
    }));
  }

  /** Resolves when every worker is ready. Throws a `Failure` if one cannot start. */
  async start(): Promise<void> {
    const complete = new Promise<void>((resolve, reject) => {
      this.#completeStart = resolve;
      this.#failStart = reject;
    });
    this.#timer = setInterval(() => this.#beat(), workerLimits.beatMs).unref();
    for (const place of this.#places) this.#fork(place);
    await complete;
    this.#started = true;
  }

  /** Those that run, in the order of their numbers: also while they start or drain. */
  get workers(): readonly WorkerProcess[] {
    return this.#places.flatMap(({ worker }) => worker ?? []);
  }

  /** Those that serve. */
  get ready(): readonly WorkerProcess[] {
    return this.workers.filter(({ state }) => state === "ready");
  }

  find(id: string): WorkerProcess | undefined {
    return this.workers.find((worker) => worker.id === id);
  }

  /** The places of the workers, with those that have none at the moment. */
  get places(): readonly Pick<Place, "number" | "worker" | "restarts">[] {
    return this.#places;
  }

  broadcast(message: PrimaryMessage, except?: WorkerProcess): void {
    for (const worker of this.workers) if (worker !== except) worker.send(message);
  }

  /**
   * Resolves when the workers that serve have applied a change and everything that was sent before. One that does not confirm
   * in time is killed: after this, none serves without the change. A worker that is starting has it before its first connection.
   */
  async confirm(change: (worker: WorkerProcess) => WithoutNumber<Question>): Promise<void> {
    const serving = new Set(this.ready);
    for (const worker of this.workers) if (!serving.has(worker)) worker.send({ ...change(worker), n: 0 } as Question);
    await Promise.all(
      [...serving].map(async (worker) => {
        const reply = await worker.ask(change(worker), workerLimits.confirmMs);
        if (reply?.type === "confirmed" && reply.error === undefined) return;
        worker.kill("unconfirmed");
        await worker.ended;
      }),
    );
  }

  /** Ended workers are not replaced any more, and those that are starting end. */
  stopReplacing(): void {
    this.#stopping = true;
    for (const { retry, worker } of this.#places) {
      clearTimeout(retry);
      if (worker?.state === "starting") worker.dismiss();
    }
  }

  async destroy(): Promise<void> {
    this.stopReplacing();
    clearInterval(this.#timer);
    for (const worker of this.workers) worker.dismiss();
    await Promise.all(this.workers.map(({ ended }) => ended));
  }

  #fork(place: Place): void {
    const { entry, output } = this.#options;
    const { number } = place;
    const id = `${process.pid}/${number}.${++this.#incarnations}`;
    place.heartbeat = new Heartbeat(workerLimits.missedBeats);
    place.messages = 0;
    try {
      place.worker = new WorkerProcess({
        entry,
        number,
        id,
        output,
        onMessage: (worker, message) => this.#receive(place, worker, message),
        onEnded: (worker) => this.#onEnded(place, worker),
      });
    } catch (error) {
      return this.#retry(place, 0, `worker ${number} cannot be started: ${messageOf(error)}`);
    }
    place.worker.send(this.#events.startMessage(number, id));
  }

  /** A worker whose messages are too many, or cannot be handled, harms neither this process nor the other workers. */
  #receive(place: Place, worker: WorkerProcess, message: WorkerMessage): void {
    const { number } = place;
    if (++place.messages > workerLimits.messagesPerBeat) {
      if (place.messages === workerLimits.messagesPerBeat + 1) {
        this.#options.logger.error({ worker: number }, `worker ${number} sends too many messages and is killed`);
      }
      return worker.kill("killed");
    }
    try {
      this.#onMessage(place, worker, message);
    } catch (error) {
      this.#options.logger.error(
        { worker: number, err: error },
        `worker ${number} sends what cannot be read and is killed`,
      );
      worker.kill("killed");
    }
  }

  #onMessage(place: Place, worker: WorkerProcess, message: WorkerMessage): void {
    if (message.type === "failed") {
      worker.failure = message.message;
    } else if (message.type === "ready") {
      if (message.protocol === protocol) this.#onReady(worker);
      else worker.failure = "the files of the command have changed: restart it";
    } else if (message.type === "pong") {
      place.heartbeat.replied();
      this.#events.pong(worker);
    } else if (message.type === "confirmed" && message.error !== undefined) {
      worker.kill("unconfirmed");
    } else this.#events.message(worker, message);
  }

  #onReady(worker: WorkerProcess): void {
    if (worker.state !== "starting") return;
    worker.state = "ready";
    this.#events.ready(worker);
    if (this.ready.length === this.#places.length) this.#completeStart();
  }

  #onEnded(place: Place, worker: WorkerProcess): void {
    place.worker = undefined;
    const lived = performance.now() - worker.startedAt;
    const expected = worker.dismissed || (this.#stopping && worker.reason === "exited" && worker.end.code === 0);
    if (!expected && this.#started && worker.pid !== undefined) {
      place.restarts[worker.reason] = (place.restarts[worker.reason] ?? 0) + 1;
    }
    if (!expected) this.#retry(place, lived, worker.describeEnd(), worker);
    this.#events.ended(worker);
  }

  #retry(place: Place, livedMs: number, what: string, worker?: WorkerProcess): void {
    const { logger } = this.#options;
    if (this.#stopping) {
      if (this.#started) logger.error({ worker: place.number, ...factsOf(worker) }, what);
      return;
    }
    // A worker that was killed while it started may have been so by chance; one that ends by itself would do so again.
    if (!this.#started && worker?.reason !== "killed") return this.#failStart(new Failure(worker?.failure ?? what));
    const delayMs = place.backOff.next(livedMs);
    const when = delayMs === 0 ? "at once" : `in ${delayMs / 1_000} s`;
    logger.error({ worker: place.number, ...factsOf(worker) }, `${what}; it is replaced ${when}`);
    clearTimeout(place.retry);
    place.retry = setTimeout(() => this.#fork(place), delayMs);
  }

  #beat(): void {
    const now = performance.now();
    const late = now - this.#lastBeat > workerLimits.beatMs * 1.5;
    this.#lastBeat = now;
    // After a pause of this process, replies may have arrived that it has not read.
    afterArrived(() => {
      for (const place of this.#places) {
        place.messages = 0;
        this.#beatOne(place, late, now);
      }
    });
  }

  #beatOne({ worker, heartbeat }: Place, late: boolean, now: number): void {
    if (worker === undefined || worker.state === "ended") return;
    if (worker.state === "starting") {
      if (!late && now - worker.startedAt > workerLimits.startMs) worker.kill("stalled");
      return;
    }
    const due = heartbeat.beat(late);
    if (due === "stalled") worker.kill("stalled");
    else if (due === "ping") worker.ping();
  }
}

function factsOf(worker: WorkerProcess | undefined): object {
  if (worker === undefined) return {};
  const { pid, end, reason, held } = worker;
  return { pid, reason, code: end.code, signal: end.signal, ...held };
}
