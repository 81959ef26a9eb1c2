// The versions that are installed, for the names of the peers.

import { readFileSync } from "node:fs";

/** The version of this package. */
export function version(name) {
  const file = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}
