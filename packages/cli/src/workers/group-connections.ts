import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { FileConfig } from "@evenkeel/config";
import { formatListenAddress, systemClock } from "evenkeel";
import { type FindInherited, type ListeningHandle, SocketAcceptor } from "evenkeel/server";
import type { Logger } from "pino";
import { orFailure } from "../serving/listen-failure.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import { Distribution } from "./distribution.ts";
import type { PrimaryConnections } from "./group-reports.ts";
import { workerLimits } from "./limits.ts";
import type { Supervisor } from "./supervisor.ts";

interface Accepted {
  /** Of the listener's address. */
  readonly index: number;
  readonly socket: Socket;
}

/** The connections of the primary: accepted, and not yet with a worker. */
export class GroupConnections {
  readonly distribution: Distribution<Accepted>;
  readonly #acceptor: SocketAcceptor;
  readonly #supervisor: Supervisor;
  readonly #dropped: ThrottledWarning;
  readonly #failedAccepts: ThrottledWarning;
  readonly #counts = { dropped: 0, acceptFailures: 0 };

  constructor({ server }: FileConfig, supervisor: Supervisor, logger: Logger, maxWaiting: number) {
    this.#supervisor = supervisor;
    this.#dropped = new ThrottledWarning((connections) => {
      logger.warn({ connections }, "client connections were closed: too many wait for a worker");
    });
    this.#failedAccepts = new ThrottledWarning((times) => logger.error({ times }, "connections could not be accepted"));
    this.distribution = new Distribution<Accepted>(
      {
        send: (worker, id, { index, socket }) =>
          supervisor.find(worker)?.send({ type: "connection", id, index }, socket),
        release: ({ socket }) => void socket.destroy(),
        drop: (accepted) => this.#drop(accepted),
      },
      { clock: systemClock, window: workerLimits.window, maxWaiting },
    );
    this.#acceptor = new SocketAcceptor(
      { listen: server.listen.map(formatListenAddress), tls: server.tls !== undefined },
      {
        accepted: (index, socket) => this.#onAccepted({ index, socket }),
        acceptFailed: () => {
          this.#counts.acceptFailures++;
          this.#failedAccepts.add();
        },
      },
    );
  }

  get urls(): readonly string[] {
    return this.#acceptor.urls;
  }

  get counts(): PrimaryConnections {
    return { waiting: this.distribution.unconfirmed, ...this.#counts };
  }

  listeningSockets(): readonly ListeningHandle[] {
    return this.#acceptor.listeningSockets();
  }

  /** Throws a `Failure`. */
  async listen(inherited: FindInherited | undefined, beforeServing: (() => Promise<void>) | undefined): Promise<void> {
    await orFailure(
      this.#acceptor.listen({ ...(inherited && { inherited }), ...(beforeServing && { beforeServing }) }),
    );
  }

  /** Stops accepting, and waits until every connection is with a worker. One that does not confirm in time is killed. */
  async stop(handedOver: boolean, force: AbortSignal): Promise<void> {
    await this.#acceptor.stop({ handedOver });
    await this.#handOver(force);
    for (const id of this.distribution.unconfirming) this.#supervisor.find(id)?.kill("unconfirmed");
    // Others get what it has not confirmed.
    await this.#handOver(force);
  }

  async #handOver(force: AbortSignal): Promise<void> {
    const end = performance.now() + workerLimits.handoverMs;
    while (this.distribution.unconfirmed > 0 && performance.now() < end && !force.aborted) {
      await wait(workerLimits.handoverCheckMs);
    }
  }

  /** Closes everything that no worker has. */
  close(): void {
    this.#acceptor.close();
    this.distribution.close();
    this.#dropped.close();
    this.#failedAccepts.close();
  }

  #onAccepted(accepted: Accepted): void {
    accepted.socket.on("error", () => {});
    this.distribution.add(accepted);
  }

  #drop({ socket }: Accepted): void {
    socket.destroy();
    this.#counts.dropped++;
    this.#dropped.add();
  }
}
