/** Reads the docstrings of the options from their interfaces, the only source of their descriptions. */

import { readFileSync } from "node:fs";
import ts from "typescript";

export interface OptionDoc {
  /** The whole text on one line. */
  readonly text: string;
  /** The text after "Default:", as written. */
  readonly default: string | undefined;
  /** The interface of the table that the option holds. */
  readonly table: string | undefined;
}

export interface TableDoc {
  readonly text: string;
  readonly options: ReadonlyMap<string, OptionDoc>;
}

/** Returns the docs by the name of the interface. Inherited keys are included. */
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

/** The text without the default, which has its own column. Text after the default stays. */
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

/** The first known interface that a type refers to, also within another type. */
function tableIn(type: ts.TypeNode, known: ReadonlyMap<string, unknown>): string | undefined {
  let found: string | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isTypeReferenceNode(node) && known.has(node.typeName.getText())) found ??= node.typeName.getText();
    else ts.forEachChild(node, visit);
  };
  visit(type);
  return found;
}
