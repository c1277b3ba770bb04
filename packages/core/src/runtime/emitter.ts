import { EventEmitter } from "node:events";

/**
 * An event emitter whose listeners cannot make `emit` throw.
 *
 * An event reports something that has already happened. A listener that throws or rejects causes a process warning, and
 * the other listeners still run.
 */
export class SafeEmitter<Events extends Record<keyof Events, unknown[]>> {
  readonly #emitter = new EventEmitter();

  constructor() {
    this.#emitter.setMaxListeners(0);
  }

  on<K extends keyof Events & string>(name: K, listener: (...args: Events[K]) => void): this {
    this.#emitter.on(name, listener as (...args: unknown[]) => void);
    return this;
  }

  once<K extends keyof Events & string>(name: K, listener: (...args: Events[K]) => void): this {
    this.#emitter.once(name, listener as (...args: unknown[]) => void);
    return this;
  }

  off<K extends keyof Events & string>(name: K, listener: (...args: Events[K]) => void): this {
    this.#emitter.off(name, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Lets a caller skip building an event that has no listener. */
  protected hasListeners(name: keyof Events & string): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }

  protected emit<K extends keyof Events & string>(name: K, ...args: Events[K]): void {
    for (const listener of this.#emitter.rawListeners(name)) {
      try {
        const result: unknown = Reflect.apply(listener, this, args);
        if (result instanceof Promise) result.catch((error: unknown) => warn(name, error));
      } catch (error) {
        warn(name, error);
      }
    }
  }
}

function warn(name: string, error: unknown): void {
  process.emitWarning(`a listener of "${name}" threw: ${String(error)}`, "EvenkeelWarning");
}
