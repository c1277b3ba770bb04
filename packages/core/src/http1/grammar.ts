/** Grammar that requests and responses share (RFC 9110 sections 5.5, 5.6.2 and 8.6). Text is Latin-1. */

/** The source of an expression for one character of a token. */
export const tokenChar = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";

/** A method, a field name, or a name in a parameter. */
export const token: RegExp = new RegExp(`^${tokenChar}+$`);

/** The source of an expression for text without control characters: a field value, or a reason phrase. */
export const fieldTextSource = "[\\t\\x20-\\x7e\\x80-\\xff]*";

/** A field value or a reason phrase. Nothing in it can end a line. */
export const fieldText: RegExp = new RegExp(`^${fieldTextSource}$`);

/** A request target: no white space, and nothing outside ASCII. */
export const requestTarget: RegExp = /^[\x21-\x7e]+$/;

/** A Content-Length. 15 digits stay below 2^53: a larger length cannot be counted. */
export const contentLength: RegExp = /^(?:0|[1-9]\d{0,14})$/;

/** Matches the names of the fields that frame a message. */
export const framingName: RegExp = /^(?:content-length|transfer-encoding)$/i;
