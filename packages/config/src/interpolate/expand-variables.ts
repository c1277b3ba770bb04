/** The environment variables that `${NAME}` may refer to. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Expands environment variables in a string: `${NAME}`, `${NAME:-default}` where the default replaces an unset or empty
 * variable, and `$${` for a literal `${`. Values are not expanded again. Calls `report` for each mistake.
 */
export function expandVariables(text: string, env: Environment, report: (mistake: string) => void): string {
  return text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (found, expression: string | undefined, end: string | undefined) => {
    if (expression === undefined) return "${";
    const match = end === "}" ? /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(expression) : null;
    if (match === null || expression.includes("${")) {
      report(`expected \${NAME} or \${NAME:-default}; a literal "\${" is written "$\${"`);
      return found;
    }
    const [, name = "", fallback] = match;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) {
      report(`the environment variable ${name} is not set; set it, or give it a default: \${${name}:-default}`);
      return found;
    }
    return value;
  });
}
