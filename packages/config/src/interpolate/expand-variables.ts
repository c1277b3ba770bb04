/** The variables that `${NAME}` may name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Puts the environment into a string: `${NAME}`, `${NAME:-what else}` for a variable that is unset or empty, and
 * `$${` for a literal `${`. What is put in is not looked at again. Calls `object` with what is wrong.
 */
export function expandVariables(text: string, env: Environment, object: (mistake: string) => void): string {
  return text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (found, inside: string | undefined, end: string | undefined) => {
    if (inside === undefined) return "${";
    const match = end === "}" ? /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside) : null;
    if (match === null || inside.includes("${")) {
      object(`expected \${NAME} or \${NAME:-default}; a literal "\${" is written "$\${"`);
      return found;
    }
    const [, name = "", otherwise] = match;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (otherwise !== undefined) return value === undefined || value === "" ? otherwise : value;
    if (value === undefined) {
      object(`the environment variable ${name} is not set; set it, or give it a default: \${${name}:-default}`);
      return found;
    }
    return value;
  });
}
