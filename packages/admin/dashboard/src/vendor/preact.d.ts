// Types of dist/dashboard/vendor/preact.js, which scripts/copy-dashboard.js copies from htm/preact/standalone.
import type { VNode } from "preact";

export type { ComponentChildren, VNode } from "preact";
export { Component, createContext, h, render } from "preact";
export * from "preact/hooks";
export declare const html: (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
