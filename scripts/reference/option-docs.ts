/** Reads what the interfaces of options say about their keys: the one place where an option is explained. */

import { readFileSync } from "node:fs";
import ts from "typescript";

export interface OptionDoc {
  /** All that is said, on one line. */
  readonly text: string;
  /** What stands behind "Default:", as it is written. */
  readonly default: string | undefined;
  /** The interface of the table that the option holds. */
  readonly table: string | undefined;
}

export interface TableDoc {
  readonly text: string;
  readonly options: ReadonlyMap<string, OptionDoc>;
}

/** By the names of their interfaces; what an interface inherits is among its own. */
export function readOptionDocs(files: readonly string[]): ReadonlyMap<string, TableDoc> {
  const declared = files.flatMap((file) =>
    ts
      .createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true)
      .statements.filter(ts.isInterfaceDeclaration),
  );
  const byName = new Map(declared.map((table) => [table.name.text, table]));
  const optionsOf = (table: ts.InterfaceDeclaration): [string, OptionDoc][] => [
    ...(table.heritageClauses ?? []).flatMap(({ types }) =>
      types.flatMap(({ expression }) => optionsOf(byName.get(expression.getText()) as ts.InterfaceDeclaration)),
    ),
    ...table.members.filter(ts.isPropertySignature).map((member): [string, OptionDoc] => {
      const text = textOf(member);
      const table = member.type && tableIn(member.type, byName);
      return [member.name.getText(), { text, default: defaultIn(text), table }];
    }),
  ];
  return new Map(
    declared.map((table) => [table.name.text, { text: textOf(table), options: new Map(optionsOf(table)) }]),
  );
}

/** The text without what it says of the default, which has a column of its own; what is said on about it stays. */
export function withoutDefault({ text, default: quoted }: OptionDoc): string {
  const [before = "", after = ""] = quoted === undefined ? [text] : text.split(`Default: ${quoted}`);
  const rest = after.replace(/^(?:[.,]\s*|\s+)/, "");
  return `${before}${rest.slice(0, 1).toUpperCase()}${rest.slice(1)}`.trim();
}

function textOf(node: ts.Node): string {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  return comments
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? "")
    .join(" ")
    .replace(/\s+/g, " ")
    .trim();
}

function defaultIn(text: string): string | undefined {
  return /Default: ("[^"]*"|\[[^\]]*\]|[\d.]*\d|[^."[\d][^.]*)/.exec(text)?.[1];
}

/** The first interface of ours that a type names, however it is wrapped. */
function tableIn(type: ts.TypeNode, known: ReadonlyMap<string, unknown>): string | undefined {
  let found: string | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isTypeReferenceNode(node) && known.has(node.typeName.getText())) found ??= node.typeName.getText();
    else ts.forEachChild(node, visit);
  };
  visit(type);
  return found;
}
