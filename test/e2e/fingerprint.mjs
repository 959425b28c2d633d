#!/usr/bin/env node
// Computes the keys of scheme v1 as doc/fingerprint.md tells, from nothing else, and compares them with those of
// vigil.fingerprints. Frames come from vigil.parse_stack and templates from vigil.message_template, as the page says.
// The errors are those of test/data and test/e2e/stacks, those of the folder VIGIL_STACKS (default ../shared/data/stacks
// beside the clone), and made-up ones that put together what the rules speak of. Counts the pairs of test/data that are
// right, too. Prints TAP; PG* tells which server.
//   SHOW=5        how many wrong ones are shown
//   MADE_UP=3000  how many are made up
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const database = "vigil_fingerprint";
const list = (text) => text.trim().split(/\s+/);
const words = (text) => new Set(list(text));

// The page counts and compares bytes. So texts have one character a byte here, and patterns know ASCII only.
const toBytes = (text) => Buffer.from(text, "utf8").toString("latin1");
const toText = (bytes) => Buffer.from(bytes, "latin1").toString("utf8");
const trimLeft = (text) => text.replace(/^[ \t\n\v\f\r]+/, "");
const trim = (text) => trimLeft(text).replace(/[ \t\n\v\f\r]+$/, "");
const before = (text, at) => (at < 0 ? text : text.slice(0, at));

// Removes what one of the patterns finds, as long as one does; what the last one finds ends it.
function removeAll(text, patterns, last) {
  for (;;) {
    const found = patterns.find((pattern) => pattern.test(text));
    if (!found) return last ? text.replace(last, "") : text;
    text = text.replace(found, "");
  }
}

// --- Key -------------------------------------------------------------------------------------------------------------

function key(basis, fields) {
  const hash = createHash("sha256");
  for (const field of [`e1${basis}`, ...fields]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(field.length));
    hash.update(length).update(Buffer.from(field, "latin1"));
  }
  return `e1${basis}_${hash.digest("hex").slice(0, 32)}`;
}

function customFingerprint(parts, first) {
  if (parts.length === 1 && /^\{\{(?:default| default )\}\}$/.test(parts[0])) return first;
  return key("c", parts.map((part) => toBytes(part).replace(/\{\{(?:default| default )\}\}/g, first)));
}

// --- Functions -------------------------------------------------------------------------------------------------------

const plumbing = {
  javascript: /^(?:Generator|AsyncGenerator|_?ZoneDelegate|zone_ZoneDelegate|Zone|ZoneTask)\./,
  jvm: new RegExp(list(`\\$\\$Lambda[$/] \\$Proxy GeneratedMethodAccessor GeneratedConstructorAccessor \\$\\$FastClassBy
    \\$\\$EnhancerBy \\$\\$SpringCGLIB\\$\\$ CGLIB\\$ ByteBuddy\\$ \\$MockitoMock\\$ LambdaForm\\$
    \\$\\$ExternalSyntheticLambda _COROUTINE\\._BOUNDARY\\.`).join("|")),
  dotnet: /^lambda_method/,
  python: /^<(?:listcomp|dictcomp|setcomp|genexpr)>$/,
};

const anonymous = new Set([
  "?", "<anonymous>", "anonymous", "(anonymous)", "Anonymous function", "anonymous function", "(anonymous function)",
  "<unknown>", "global code", "eval code", "module code", "eval", "<eval>", "<module>", "<main>", "{main}", "<lambda>",
  "{closure}", "{anonymous}", "<top (required)>", "<global>", "<compiled>", "<no symbol>", "main chunk", "<computed>",
]);

const scriptPlumbing = words(`asyncGeneratorStep _asyncToGenerator __awaiter __generator _next _throw sentryWrapped
  nrWrapper __webpack_require__ __webpack_exec__ __webpack_modules__ webpackJsonpCallback processTicksAndRejections
  runMicrotasks tryCatcher`);

const parameters = (name) => (name.endsWith(")") ? before(name, name.lastIndexOf("(")) : name);

function numbers(name) {
  let out = "";
  for (let i = 0; i < name.length; ) {
    const isMark = name[i] === "$" || (name[i] === "_" && name[i - 1] === "_");
    out += name[i++];
    if (!isMark) continue;
    const run = /^[0-9][0-9_]*/.exec(name.slice(i))?.[0] ?? "";
    if (!/[A-Za-z]/.test(name[i + run.length] ?? "")) i += run.length;
  }
  return out;
}

function scriptFunction(name, frame) {
  name = removeAll(name, [/^(?:async |async\*|new |get |set |static |bound )/]);
  if (!frame.raw.startsWith("at ") && /^[^@]*<@/.test(frame.raw)) return "";
  if (name.endsWith("]")) name = before(name, name.indexOf(" [as "));
  if (name.endsWith("]")) name = name.slice(name.lastIndexOf(".[") + 1);
  else name = name.slice(Math.max(...[".", "/", "*"].map((mark) => name.lastIndexOf(mark))) + 1);
  if (name.startsWith("#")) name = name.slice(1);
  if (name.length <= 2 && frame.column >= 500) return "";
  if (scriptPlumbing.has(name)) return null;
  if (anonymous.has(name) || name.startsWith("_callee")) return "";
  return numbers(name.replace(/(?<=.)[_$](?=[^_$]*[0-9])[0-9a-fA-F]{6,}$/s, ""));
}

function rubyFunction(name) {
  name = removeAll(name, [/^block .*?in /s, /^(?:rescue|ensure) (?:in )?/], /^block /);
  if (name.startsWith("<")) return "";
  const at = Math.max(name.lastIndexOf("#"), name.lastIndexOf("."));
  return numbers(at === name.length - 1 ? name : name.slice(at + 1));
}

function dotnetFunction(name) {
  name = parameters(name);
  let out = "";
  for (let i = 0; i < name.length; ) {
    const made = /^<([^>]*)>([^.]*)/.exec(name.slice(i));
    const type = /^(?:`[0-9]*|\[[^\]]*\]?|<[^>]*$)/.exec(name.slice(i));
    if (made) {
      const x = made[1].replace(/^<+/, "");
      const k = made[2].startsWith("g__") ? `.${before(made[2].slice(3), made[2].slice(3).indexOf("|"))}` : "";
      out = x === "" ? out.replace(/\.+$/, "") : out + x + k;
    } else if (!type) {
      out += name[i];
    }
    i += (made ?? type ?? ".")[0].length;
    if (made && name.slice(i) === ".MoveNext") break;
  }
  return out;
}

function goFunction(name) {
  for (;;) {
    const stem = name.replace(/[0-9]+$/, "");
    const isClosure = /\.(?:func|gowrap)$/.test(stem);
    if (stem !== name && isClosure) name = stem;
    if (stem === name || isClosure || !stem.endsWith(".")) break;
    name = stem.slice(0, -1);
  }
  return name.replace(/-fm$/, "").replace(/\[[^\]]*\]?/g, "");
}

function phpFunction(name) {
  name = name.replace(/@anonymous.*?(?=->|$)/s, "@anonymous");
  const closure = name.indexOf("{closure");
  return closure < 0 ? numbers(name) : `${numbers(name.slice(0, closure))}{closure}`;
}

function dartFunction(name) {
  name = removeAll(name, [/\.<(?:anonymous closure|fn)>$/]);
  return name.startsWith("<") ? "" : numbers(name);
}

function nativeFunction(name) {
  const leading = [/^(?:implicit )?closure #.*? in /s,
    /^(?:\(1\) await|\(2\) suspend) resume partial function for /,
    /^(?:partial apply for|specialized|@objc|@nonobjc|merged|static|protocol witness for) /];
  return numbers(parameters(removeAll(name, leading, /^(?:implicit )?closure #/)));
}

const functions = {
  javascript: scriptFunction,
  ruby: rubyFunction,
  dotnet: dotnetFunction,
  go: goFunction,
  rust: (name) => removeAll(name.replace(/::h[0-9a-fA-F]{16}$/, ""), [/::(?:\{\{closure\}\}|\{closure#[0-2]\})$/]),
  php: phpFunction,
  dart: dartFunction,
  native: nativeFunction,
  jvm: numbers,
};

// Null for plumbing.
function functionOf(frame) {
  if (plumbing[frame.language]?.test(frame.function)) return null;
  if (anonymous.has(frame.function)) return "";
  return (functions[frame.language] ?? ((name) => numbers(parameters(name))))(frame.function, frame);
}

// --- Files -----------------------------------------------------------------------------------------------------------

const directories = words(`app apps srv var www html htdocs public_html wwwroot opt usr local home Users root tmp private
  current releases release deploy deployments workspace workspaces builds build code task repo project projects mnt data
  runner work inetpub web site sites dist out output bundle package packages-cache`);
const workspaces = words("packages apps libs services workspaces crates");
const packageFolders = words("node_modules site-packages dist-packages gems bower_components");

const isPlain = (text) => !/[0-9A-Z]/.test(text);
const count = (text, pattern) => text.match(pattern)?.length ?? 0;

function isGenerated(text) {
  if (!/^[0-9A-Za-z]{6,}$/.test(text) || isPlain(text)) return false;
  if (/^[0-9]+$/.test(text)) return true;
  const turns = count(text, /(?:[0-9](?=[^0-9])|[^0-9](?=[0-9])|[A-Z](?=[^A-Z0-9])|[^A-Z0-9](?=[A-Z]))/g);
  if (/^[0-9a-f]+$/.test(text)) return turns > 2 || (text.length > 11 && /[0-9]/.test(text));
  return text.length > 7 && turns > 2 * count(text, /[A-Z](?=[a-z])/g) + 2;
}

function isBundleHash(text) {
  if (text.length !== 8 || isPlain(text)) return false;
  const large = count(text, /[A-Z]/g);
  if (/^[0-9A-Z]+$/.test(text)) return /[0-9]/.test(text);
  const turns = count(text, /(?:[0-9](?=[^0-9])|[^0-9](?=[0-9])|[A-Z](?=[^A-Z0-9])|[^A-Z0-9](?=[A-Z]))/g);
  if (/[0-9]/.test(text)) return large > 0 && turns > 2;
  const hasNoSyllables = count(text, /[aeiouyAEIOUY]/g) < 2 || /(?:(?![aeiouyAEIOUY])[A-Za-z]){5}/.test(text);
  return large >= 2 && /[a-z]/.test(text) && hasNoSyllables;
}

const isHashSuffix = (text) => isGenerated(text) || isBundleHash(text) || /^(?=.*[0-9])[0-9a-fA-F]{6,}$/s.test(text);

function isRelease(text) {
  if (isPlain(text)) return false;
  if (isGenerated(text) || /^[0-9]{4,}$/.test(text)) return true;
  if (text.length >= 3 && /^v?[0-9][0-9.]*\.[0-9.]*(?:[-+]|$)/.test(text)) return true;
  if (/^[-0-9a-fA-F_T.]+$/.test(text) && count(text, /[0-9]/g) >= 6) return true;
  return /^(?:release|build|deploy)/.test(text) && isGenerated(/[^-_]*$/.exec(text)[0]);
}

// Divides a file name into tokens with the marks before them; versions are left out.
function tokensOf(name) {
  const tokens = [{ mark: "", text: "", isFirst: true }];
  let wasVersion = false;
  for (let i = 0; i < name.length; ) {
    const rest = name.slice(i);
    const mayBegin = i > 0 && !(wasVersion && name[i] === "-");
    const version = mayBegin && /^(?:@[0-9](?:[0-9]|\.(?=[0-9]))*|[-_][0-9]+(?:\.[0-9]+)+)/.exec(rest);
    wasVersion = Boolean(version);
    if (version) {
      i += version[0].length;
      if (!/[.~-]/.test(name[i] ?? "")) tokens.push({ mark: "", text: "", isFirst: true });
    } else if (/[.~-]/.test(name[i])) {
      const hash = /^[^.]*/.exec(rest.slice(1))[0];
      const text = isBundleHash(hash) ? hash : "";
      tokens.push({ mark: name[i], text, isFirst: false });
      i += 1 + text.length;
    } else {
      tokens.at(-1).text += name[i++];
    }
  }
  return tokens;
}

function fileName(name) {
  const marks = name.match(/[.~-]/g) ?? [];
  if (isPlain(name) && ["", "."].includes(marks.join(""))) return name;
  if (!name.includes(".") && isRelease(name)) return "#";
  return tokensOf(name).map(({ mark, text, isFirst }, n, { length }) => {
    const isLast = n === length - 1;
    if (isFirst) {
      if (isGenerated(text) && !isLast) return "#";
      const at = text.lastIndexOf("_");
      return at > 0 && isHashSuffix(text.slice(at + 1)) ? text.slice(0, at) : text;
    }
    const isLeftOut = isHashSuffix(text) || /^(?:min|production|development|prod)$/.test(text);
    return isLeftOut && !isLast ? "" : mark + text;
  }).join("");
}

function pathOf(file) {
  const begin = file.startsWith("blob:") ? file.indexOf(":", 5) : /^[A-Za-z+-]*/.exec(file)[0].length;
  const rest = file.slice(begin);
  if (rest.startsWith("://")) return rest.includes("/", 3) ? rest.slice(rest.indexOf("/", 3)) : "";
  if (begin === 1 && rest.startsWith(":")) return rest.slice(1);
  if (!rest.startsWith(":")) return file;
  return ["webpack:", "rsc:", "about:", "turbopack:"].reduce((path, scheme) =>
    (path.startsWith(scheme) ? path.slice(scheme.length) : path), file);
}

function segmentsOf(path) {
  const segments = [];
  for (const segment of before(path, path.search(/[?#]/)).split(/[/\\]/)) {
    if (["", ".", ".."].includes(segment)) continue;
    if (segments.length === 0 && /^\(.*\)$/s.test(segment)) continue;
    segments.push(segment);
  }
  return segments.slice(-64);
}

function packagePath(segments) {
  const at = segments.findLastIndex((segment, i) => i < segments.length - 1 && (packageFolders.has(segment) ||
    (segment === "mod" && segments[i - 1] === "pkg") ||
    (/^(?:index\.crates\.io|github\.com-)/.test(segment) && segments[i - 1] === "src")));
  if (at < 0) return null;
  return segments.slice(at + 1).map((segment, i, { length }) => {
    if (i === length - 1) return fileName(segment);
    return i < 4 ? segment.replace(/(?<=.)[@-]v?[0-9].*$/s, "") : segment;
  }).join("/");
}

function applicationPath(path, segments, language) {
  const last = segments.length - 1;
  let begin = 0;
  while (begin < last) {
    if (["home", "Users"].includes(segments[begin]) && begin + 1 < last) begin += 2;
    else if (directories.has(segments[begin]) || isRelease(segments[begin])) begin += 1;
    else break;
  }
  let end = last;
  while (end > begin && isRelease(segments[end - 1])) end--;
  let first = end;
  if (end > begin && !["src", "dist", "build", "out"].includes(segments[end - 1])) {
    first--;
    while (first > begin && /^[[($]/.test(segments[first])) first--;
  }
  const isRooted = /^[/\\]/.test(path) && !path.startsWith("/.");
  const at = segments.findIndex((one, i) => workspaces.has(one) && !(i === 0 && isRooted) && i + 2 <= last);
  const folders = segments.slice(first, end);
  if (at >= 0 && at + 1 !== first) folders.unshift(segments[at + 1]);
  const file = [...folders, fileName(segments[last])].join("/");
  return language === "javascript" ? file.replace(/\.(?:[jt]sx?|[mc][jt]s)$/, "") : file;
}

const isQualified = { jvm: /\./, dotnet: /\./, go: /\./, rust: /::/, postgresql: /^/ };

function fileOf(frame, name) {
  if (name !== "" && isQualified[frame.language]?.test(frame.function)) return "";
  const path = pathOf(frame.file);
  const segments = segmentsOf(path);
  if (segments.length === 0) return "";
  return packagePath(segments) ?? applicationPath(path, segments, frame.language);
}

// --- Chains ----------------------------------------------------------------------------------------------------------

const nameAt = (text) => /^[^: (\r\n]*/.exec(text)[0];

// In Python the name of an exception stands below its frames.
function nameBelow(text) {
  const lines = trim(text).split("\n");
  let first = lines.length;
  while (first > 0 && lines.length - first < 64 && /^[^ \t\n\v\f\r]/.test(lines[first - 1])) first--;
  return nameAt(lines[first] ?? "");
}

function nameInPhp(text) {
  for (const word of ["PHP ", "Fatal error: ", "Uncaught ", "Next "]) {
    text = trimLeft(text);
    if (text.startsWith(word)) text = text.slice(word.length);
  }
  return nameAt(trimLeft(text));
}

function exceptionsOf(text) {
  const all = [{ begins: 0, depth: 0, name: "", isBeside: false }];
  let causes = 0;
  let suppressed = null;
  let goroutines = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    const line = trimLeft(text.slice(at, end));
    const indent = end - at - line.length;
    const previous = all.at(-1);
    const own = text.slice(previous.begins, at);
    const addOuter = (nameOfPrevious, name = "") => {
      previous.name ||= nameOfPrevious;
      all.push({ begins: end + 1, depth: previous.depth - 1, name, isBeside: previous.isBeside });
    };
    const cause = /^(?:Caused by: |\[cause\]: )/.exec(line)?.[0];
    if (cause || line.startsWith("Suppressed: ")) {
      if (suppressed === null || indent < suppressed) {
        suppressed = cause ? null : indent;
        const name = cause ? nameAt(line.slice(cause.length)) : "";
        all.push({ begins: at, depth: cause ? ++causes : 0, name, isBeside: !cause });
      }
    } else if (/^(?:The above exception was the direct cause of|During handling of the above exception)/.test(line)) {
      addOuter(nameBelow(own));
    } else if (line.startsWith("--- End of inner exception stack trace")) {
      addOuter(own.includes("---> ") ? nameAt(own.slice(own.lastIndexOf("---> ") + 5)) : "");
    } else if (indent === 0 && line.startsWith("Next ") && trim(text.slice(0, at)).endsWith("{main}")) {
      addOuter(nameInPhp(own), nameAt(line.slice(5)));
    } else if (line.startsWith("goroutine ") && line.includes(" [") && goroutines++ > 0) {
      all.push({ begins: at, depth: 0, name: "", isBeside: true });
    }
    at = end + 1;
  }
  return all;
}

// Where the lines of frames stand. Of equal lines the last ones are frames, as a header comes first.
function placesOf(text, frames) {
  const places = new Map(frames.map(({ raw }) => [raw, []]));
  for (const [raw, found] of places) {
    for (let at = text.indexOf(raw); at >= 0; at = text.indexOf(raw, at + 1)) {
      if (trim(text.slice(text.lastIndexOf("\n", at - 1) + 1, at)) === "") found.push(at);
    }
    found.splice(0, found.length - frames.filter((frame) => frame.raw === raw).length);
  }
  return frames.map(({ raw }) => places.get(raw).shift() ?? 0);
}

// --- Which frames ----------------------------------------------------------------------------------------------------

// Whether a rule's pattern fits: * is any text, ? one byte, / also a backslash. No pattern asks nothing.
function fits(pattern, text) {
  if (pattern === undefined) return true;
  const escaped = (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
  const source = toBytes(pattern).replace(/[^A-Za-z0-9*?/]/g, escaped)
    .replaceAll("*", ".*").replaceAll("?", ".").replaceAll("/", "[/\\\\]");
  return new RegExp(`^${source}$`, "s").test(text);
}

function kindOf(frame, rules) {
  const rule = rules.find((one) =>
    one.action !== "key" && fits(one.file, frame.file) && fits(one.function, frame.function));
  if (rule) return rule.action;
  if (frame.kind === "eval") return "drop";
  if (frame.in_app) return "app";
  return ["runtime", "native"].includes(frame.kind) ? frame.kind : "library";
}

// Removes the last 1, 2 or 3 frames if they repeat those before them.
function collapse(kept) {
  for (let period = 1; period <= 3; period++) {
    const repeats = (frame, i) =>
      frame.function === kept.at(i - 2 * period)?.function && frame.file === kept.at(i - 2 * period)?.file;
    if (kept.length >= 2 * period && kept.slice(-period).every(repeats)) {
      kept.length -= period;
      return;
    }
  }
}

function keep(frames) {
  const useful = frames.filter((frame) => functionOf(frame) !== null && !frame.exception.isBeside);
  const deepest = useful.reduce((a, { exception: b }) =>
    (a && (a.depth > b.depth || (a.depth === b.depth && a.begins <= b.begins)) ? a : b), null);
  const kept = [];
  for (const frame of useful.filter(({ exception }) => exception === deepest)) {
    if (kept.length === 10) break;
    const name = functionOf(frame);
    const file = fileOf(frame, name);
    if (name === "" && file === "") continue;
    kept.push({ function: name, file, language: frame.language });
    collapse(kept);
  }
  return kept;
}

function select(frames, rules) {
  const ofKind = (kind) => frames.filter((frame) => kindOf(frame, rules) === kind);
  const app = keep(ofKind("app"));
  if (app.length > 0) return { basis: "s", kept: app };
  let kept = keep(ofKind("library"));
  if (kept.length === 0) {
    const isNamed = (frame) => frame.function !== "" && /^(?:native|rust|dart)$/.test(frame.language);
    kept = keep(ofKind("native").filter(isNamed));
  }
  return { basis: kept.length > 0 ? "y" : "m", kept };
}

// --- Message ---------------------------------------------------------------------------------------------------------

function normalised(message, name) {
  const leading = ["Uncaught (in promise) ", "Uncaught exception ", "Uncaught ", "Unhandled Promise Rejection: ",
    "Unhandled promise rejection: ", "Unhandled rejection ", "Unhandled exception: ", "Unhandled exception. "];
  if (name !== "") leading.push(`${name}: `);
  for (;;) {
    message = trim(message);
    const found = leading.find((one) => message.startsWith(one));
    if (!found) break;
    message = message.slice(found.length);
  }
  const lines = message.split("\n");
  const second = lines.findIndex((line, i) => i > 0 && trim(line) !== "");
  return trim(lines.slice(0, second < 0 ? lines.length : second + 1).join("\n"));
}

function between(text, open, close) {
  const begin = text.indexOf(open);
  const end = text.indexOf(close, begin + open.length);
  return begin < 0 || end < 0 ? "" : text.slice(begin + open.length, end);
}

function lastProperty(expression) {
  expression = trim(before(expression, expression.indexOf(" = ")));
  if (expression.endsWith(")")) expression = before(expression, expression.lastIndexOf("("));
  if (expression.endsWith("]")) return expression.slice(expression.lastIndexOf("[") + 1, -1).replace(/['"`]/g, "");
  return expression.includes(".") ? expression.slice(expression.lastIndexOf(".") + 1) : "";
}

function missingProperty(message) {
  if (/^(?:Cannot (?:read|set) propert|Unable to (?:get|set) property ')/.test(message)) {
    return between(message, "ing '", "'") || between(message, "property '", "'");
  }
  if (message.startsWith("can't access property \"")) return between(message, "can't access property \"", "\"");
  if (/^('?)(?:null|undefined)\1 is not an object \(evaluating '/.test(message)) {
    return lastProperty(between(message, "evaluating '", "')"));
  }
  return "";
}

// The template of what the engines of JavaScript word differently, otherwise null.
function engineTemplate(message) {
  const property = missingProperty(message);
  if (property) return `no object with property ${property}`;
  if (message.startsWith("Can't find variable: ")) return `${message.slice(message.indexOf(": ") + 2)} is not defined`;
  const call = /^.*? is not a function/s.exec(message.slice(0, 200));
  if (call) return call[0];
  if (/^(?:Failed to fetch|Load failed|NetworkError when attempting to fetch resource\.)$/.test(message)) {
    return "Failed to fetch";
  }
  if (message.startsWith("ResizeObserver loop ")) return "ResizeObserver loop";
  if (/^JSON(?:\.parse| Parse error): |^Unexpected .* JSON|is not valid JSON$/s.test(message)) {
    return / end of |[Uu]nterminated|EOF/.test(message) ? "JSON ends too early" : "not valid JSON";
  }
  return null;
}

// The code before a message, otherwise nothing, and what is left.
function splitCode(message) {
  const found = /^(?:\[((?:E|[A-Z]{2,5})[-_]?[0-9]{3,6})\]|((?:E|[A-Z]{2,5})[-_]?[0-9]{3,6}):)/.exec(message);
  return found ? [found[1] ?? found[2], trim(message.slice(found[0].length))] : [null, message];
}

const engineErrors = words("TypeError ReferenceError RangeError SyntaxError URIError EvalError InternalError");

function wordsOf({ basis, kept }, name, template) {
  if (basis === "y" || kept.every((frame) => frame.function === "")) return template;
  if (kept[0].language === "javascript" && engineErrors.has(name)) return "";
  const all = template.split("\n")[0].split(" ").filter((word) => word !== "").slice(0, 12);
  const end = all.findIndex((word, i) => i > 0 && word.endsWith(":"));
  return all.slice(0, end < 0 ? all.length : end + 1)
    .map((word, i) => (i > 0 && /^[A-Z][a-z]+[.,]*$/.test(word) ? "*" : word)).join(" ");
}

// --- Comparing -------------------------------------------------------------------------------------------------------

function psql(query) {
  return execFileSync("psql", ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database],
    { input: query, encoding: "utf8", maxBuffer: 2 ** 30, env: { ...process.env, PGCLIENTENCODING: "UTF8" } });
}

// One answer for each item, in order.
function ask(items, expression) {
  return psql(`SELECT to_json(${expression}) FROM jsonb_array_elements($items$${JSON.stringify(items)}$items$::jsonb)
    WITH ORDINALITY AS i (item, n) ORDER BY n`).trimEnd().split("\n").map((line) => JSON.parse(line));
}

// All but the template, which the server knows.
function prepare(error, frames) {
  const [type, name, message, stack] = ["type", "name", "message", "stack"].map((part) => toBytes(error[part] ?? ""));
  for (const frame of frames) for (const part of ["function", "file", "raw"]) frame[part] = toBytes(frame[part] ?? "");
  const all = exceptionsOf(stack);
  placesOf(stack, frames).forEach((at, i) => (frames[i].exception = all.findLast(({ begins }) => begins <= at)));
  const deepest = all.filter((one) => !one.isBeside).reduce((a, b) => (b.depth > a.depth ? b : a));
  const report = { type, name: trim(name), cause: all.length > 1 ? deepest.name : "", ...select(frames, error.rules ?? []) };
  report.message = normalised(trim(message) === "" && frames.length === 0 ? stack : message, report.name);
  report.template = engineTemplate(report.message);
  const keyed = (rule) => rule.action === "key" && fits(rule.name, report.name) && fits(rule.message, message);
  const rule = error.rules?.find(keyed);
  const isNone = rule?.key.length === 1 && /^\{\{(?: default |default)\}\}$/.test(rule.key[0]);
  report.rule = isNone ? undefined : rule;
  return report;
}

function keysOf({ type, name, cause, basis, kept, template, rule }) {
  const keys = [];
  if (basis !== "m") {
    const fields = [type, name, cause, wordsOf({ basis, kept }, name, template)];
    keys.push(key(basis, [...fields, ...kept.flatMap((frame) => [frame.function, frame.file])]));
    keys.push(key("t", [...fields, kept[0].function, kept[0].file]));
  }
  keys.push(key("m", [type, name, template]));
  return rule ? [customFingerprint(rule.key, keys[0])] : keys;
}

function compare(errors) {
  const answers = ask(errors, `jsonb_build_object(
    'keys', vigil.fingerprints(item ->> 'type', item ->> 'name', item ->> 'message', item ->> 'stack',
                               rules => nullif(item -> 'rules', 'null')),
    'frames', ARRAY(SELECT to_jsonb(f) FROM vigil.parse_stack(item ->> 'stack', item ->> 'name', item ->> 'message') AS f
                    ORDER BY f.ordinal))`);
  const reports = errors.map((error, i) => prepare(error, answers[i].frames));
  const split = reports.map(({ message }) => splitCode(message));
  const messages = split.map(([, message]) => toText(message.replace(/\.$/, "")));
  const templates = ask(messages, "vigil.message_template(item #>> '{}')");
  return reports.map((report, i) => {
    const [code] = split[i];
    report.template ??= (code === null ? "" : `${code} `) + toBytes(templates[i]);
    const own = keysOf(report);
    return { error: errors[i], report, own, theirs: answers[i].keys, isRight: own.join() === answers[i].keys.join() };
  });
}

// --- Errors ----------------------------------------------------------------------------------------------------------

function linesOf(file) {
  return readFileSync(file, "utf8").split("\n").filter((line) => line.trim() !== "").map((line) => JSON.parse(line));
}

function errorsOf(folder) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith(".jsonl")).sort();
  return files.flatMap((file) => linesOf(join(folder, file))).flatMap((one) =>
    (one.a ? [{ id: `${one.id} a`, ...one.a }, { id: `${one.id} b`, ...one.b }] : [one]));
}

// Numbers that look random and are the same in every run.
function dice(state) {
  const roll = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pick = (from) => from[roll(from.length)];
  return { roll, pick, some: (most, one) => Array.from({ length: roll(most + 1) }, one) };
}

const pieces = {
  roots: list(`/ / / ./ ../ /./ C:\\ https://cdn.example/ file:/// webpack:///./ webpack://shop/ webpack-internal:///(rsc)/./
    blob:https://a.example/ app:/// node: webpack:src/ package: about:srcdoc/ http://h`),
  folders: list(`app apps srv var www releases home Users anna root tmp current deploy build dist out src lib packages
    services crates workspaces grid api orders node_modules node_modules express@4.18.2 @scope site-packages gems
    rack-2.2.8 pkg mod chi v5@v5.0.10 index.crates.io-6f17d22bba15001f tokio-1.36.0 20251120 20251120174512 v2.1.0
    1.2.3-beta 3f2a1b9c0d4e5f60 release-8f3k2n1x build-20251120 deploy_9xK2mQ7z [slug] (shop) (app) $id . ..
    python3.11 vendor 2025-11-20T10.30 Deskpad d41d8cd98f00 BkT9x2Qa aaaa`),
  files: list(`index main app page [id] +page 17 4bd1b696 80bcaf75e1b4285e index-BkT9x_2a index-C4mZ0-9q main.3f2a1b9c
    vendors~main.9d1c77e0 jquery-3.7.1.min react-dom.production.min lodash@4.17.21 lodash@4.17.21-es chunk-VENDOR
    chunk.XKCDQZPT.x Orders-Bx81kQ2z app.facade app_3f2a1b9c9 _row.html a-1.2 base.bundle.dev Table test_2b.min
    polyfills-1f0e9d8c7b6a5f4e index-abcdefgh runtime~A1B2C3D4 20251120 3f2a1b9c README x~y~z -1.2 a--b.min page-DEVELOP
    main-es2015.1234567 foo@2bar.baz`),
  endings: [...list(".js .js .js .ts .tsx .mjs .cts .d.ts .py .rb .vue .js?v=2 .js#x"), ""],
  names: list(`run load get Cart Shop Util $inner _x __y $$ f1 $3 lambda$load$3 __2 __12a a_3f2a1b9c b$00ff00 c_abcdef init
    <init> <clinit> e t aa v2 x__1_2 y$5_6b Ünï #secret [Symbol.iterator] handle save_2`),
  functions: [...list(`? <anonymous> anonymous eval <module> <main> {main} <lambda> __awaiter _callee _callee$ _next
    asyncGeneratorStep processTicksAndRejections Generator.next Zone.run ZoneTask.invokeTask <listcomp> <genexpr>
    lambda_method12 com.acme.A$$Lambda$14/0x08.run com.acme.$Proxy12.run main.init.0 main.(*T).run.func1
    main.run.func2.1 main.T.m-fm main.Map[go.shape.int].get main.run.gowrap1 main.f.0 main.v2.5 a::b::h0123456789abcdef
    a::b::{{closure}} a::{closure#1}::{{closure}} A.<Run>d__5.MoveNext A.<>c__DisplayClass3_0.<Run>b__1 A.<>c.<Run>b__0_1
    A.<Read>g__Row|4_0 A.B\`2.C[T] A.<<Main>$>d__0.MoveNext A.<Run>d__5.MoveNextly A..ctor A\\{closure}
    A->{closure:A::b():3} class@anonymous->run X@anonymous A::b <fn> ns::f<int>::g a.b(c).d`), "global code",
    "A.b.<anonymous closure>", "A.b.<fn>.<anonymous closure>"],
  ruby: ["block in Cart.run", "block (2 levels) in run", "rescue in block in run", "ensure in run", "<class:Cart>",
    "<top (required)>", "Cart#run", "block in <main>", "block run", "block rescue run", "rescue in <class:Cart>",
    "Cart.run?", "+", "[]="],
  native: ["closure #1 in Cart.run()", "implicit closure #2 in closure #1 in run", "partial apply for f", "closure #1",
    "closure #static f",
    "static Cart.run(a:)", "(1) await resume partial function for g", "std::map<int, X>::at(int const&)",
    "merged specialized f", "@objc f", "operator()", "f(int) const"],
  errors: ["Error", "TypeError", "RangeError", "ValueError", "java.lang.IllegalStateException", " Padded ", "", null],
  messages: [null, "", ".", "boom", "Error: ", "Uncaught ", "ends with a stop.", "two stops..", "Größe für Zoë fehlt: 3",
    "Cannot read properties of undefined (reading 'id')", "Cannot read property 'id' of null",
    "Cannot set properties of null (setting 'x')", "can't access property \"id\", a.b is undefined",
    "can't access property \"id\"", "undefined is not an object (evaluating 'a.b.id')",
    "'undefined' is not an object (evaluating 'a.b')", "null is not an object (evaluating 'x = a.b.c(d.e)')",
    "null is not an object (evaluating 'a[\"k\"]')", "null is not an object (evaluating 'a[b.c]')",
    "undefined is not an object (evaluating 'a')", "Unable to get property 'id' of undefined or null reference",
    "Can't find variable: gtag", "a.b is not a function", "a.b is not a function. (In 'a.b()', 'a.b' is undefined)",
    `${"x".repeat(190)} is not a function`, `${"x".repeat(300)} is not a function`, "Failed to fetch", "Load failed",
    "NetworkError when attempting to fetch resource.", "ResizeObserver loop limit exceeded",
    "Failed to fetch dynamically imported module: https://a.example/x.js", "Unexpected end of JSON input",
    "JSON.parse: unexpected end of data at line 1 column 1 of the JSON data", "JSON Parse error: Unexpected EOF",
    "Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON", "Unexpected token < in JSON at position 0",
    "Uncaught (in promise) Error: Error: two", "Uncaught TypeError: x.y", "Unhandled rejection ValueError: three 3.",
    "first 1\n\n second 2\nthird", "\n  padded  \n", "user Anna Smith, order 12: state is Paid: late",
    "One Two Three, Four. Five", "upload failed: disk: full: again", "a b c d e f g h i j k l m n o p",
    "key=1 (a)=(b) \"users\" 'id' 0xff"],
  rules: [{ action: "library", file: "*/src/*" }, { action: "library", function: "*Cart*" }, { action: "app", file: "*" },
    { action: "app", file: "*node_modules/*" }, { action: "app", function: "?" }, { action: "drop", function: "load*" },
    { action: "drop", file: "/srv/*", function: "*r*" }, { action: "drop", file: "C:/*" },
    { action: "key", name: "*Error", key: ["{{ default }}", "of {{default}}"] },
    { action: "key", message: "*is not*", key: ["calls"] }, { action: "key", name: "*Padded*", key: ["p", "q"] },
    { action: "key", message: "boom", key: ["boom", "{{ default}}"] }],
};

function madeUp(howMany) {
  const { roll, pick, some } = dice(2025);
  const upTo = (most) => String(roll(most));
  const file = () => pick(pieces.roots) + some(6, () => pick(pieces.folders) + (roll(9) === 0 ? "\\" : "/")).join("") +
    pick(pieces.files) + pick(pieces.endings);
  const source = (folder, ending) => `${folder}/${pick(pieces.folders)}/${pick(pieces.files)}${ending}`;
  const name = () => (roll(3) === 0 ? pick(pieces.functions)
    : [pick(pieces.names), ...some(3, () => pick(pieces.names))].join(pick([".", ".", "::", "/", "->"])));
  // How a language prints a frame, and what stands between the exceptions of its chains.
  const forms = [
    [() => `    at ${pick(["", "async ", "new ", "get "])}${name()}${pick(["", "", " [as x]"])} (${file()}:` +
      `${upTo(99)}:${pick([3, 499, 500, 9999])})`, "  [cause]: TypeError: t"],
    [() => `    at ${file()}:${upTo(99)}:${upTo(999)}`],
    [() => `${pick(["", "async*"])}${pick([name, () => pick(pieces.names)])()}${pick(["", "/<", "</<"])}@${file()}:` +
      `${upTo(99)}:${pick([3, 700])}`],
    [() => `  File "${file()}", line ${upTo(99)}, in ${name()}`,
      "KeyError: 'k'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent",
      "a.b.OSError: gone\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most"],
    [() => `\tat com.acme.${name()}(${pick(["Cart.java:3", "Cart.kt:9", "Unknown Source", "Native Method"])})`,
      "Caused by: java.io.IOException: gone", "Caused by: a.B", "\tSuppressed: a.B: c", "\t\tCaused by: d.E",
      "Suppressed: x.Y"],
    [() => `   at Acme.${name()}(Int32 a, String b) in ${file()}:line ${upTo(99)}`,
      " ---> System.TimeoutException: late", "   --- End of inner exception stack trace ---"],
    [() => `${source("/srv", ".rb")}:${upTo(99)}:in '${pick(pieces.ruby)}'`],
    [() => `#${upTo(9)} ${file()}(${upTo(99)}): ${name()}('a', Array)`, "#9 {main}\n\nNext RuntimeException: outer in /a.php:3"],
    [() => `   ${upTo(9)}: ${name()}\n             at ${file()}:${upTo(99)}:5`],
    [() => `${name()}(0xc000, {0x1, 0x2})\n\t${source("/src", ".go")}:${upTo(99)} +0x1d`,
      "goroutine 7 [running]:", "goroutine 8 [select]:"],
    [() => `#${upTo(9)}      ${name()} (${source("package:shop", ".dart")}:${upTo(99)}:7)`],
    [() => `#${upTo(9)}  0x00007f3a1c229d90 in ${pick(pieces.native)} at ${file()}:${upTo(99)}`],
    [() => `PL/pgSQL function ${pick(["shop.", ""])}${pick(pieces.names)}(integer,text) line ${upTo(30)} at RAISE`],
  ];
  return Array.from({ length: howMany }, (_, i) => {
    const [error, message, [own, ...chain]] = [pick(pieces.errors), pick(pieces.messages), pick(forms)];
    const isMixed = chain.length === 0 && roll(3) === 0;
    const lines = [];
    for (let frames = roll(14); frames > 0; frames--) {
      const line = isMixed ? pick(forms)[0]() : own();
      for (let times = roll(4) === 0 ? 1 + roll(4) : 1; times > 0; times--) lines.push(line);
      if (chain.length > 0 && roll(6) === 0) lines.push(pick(chain));
      if (roll(8) === 0) lines.push(...lines.slice(-2 - roll(2)));
    }
    if (roll(4) > 0) lines.unshift(`${error ?? ""}: ${message ?? ""}`);
    return {
      id: `made up ${i}`, type: pick(["javascript", "api", "", null]), name: error, message,
      stack: lines.join(pick(["\n", "\n", "\r\n"])) + pick(["", "\n"]),
      rules: roll(4) === 0 ? some(3, () => pick(pieces.rules)) : null,
    };
  });
}

// --- TAP -------------------------------------------------------------------------------------------------------------

let number = 0;
let failures = 0;

function report(isOk, name) {
  console.log(`${isOk ? "ok" : "not ok"} ${++number} - ${name}`);
  failures += isOk ? 0 : 1;
}

function testKeys(name, errors) {
  if (errors.length === 0) {
    report(true, `keys of ${name} # SKIP there are none`);
    return [];
  }
  const all = compare(errors);
  const wrong = all.filter((one) => !one.isRight);
  const right = all.length - wrong.length;
  report(wrong.length === 0, `keys of ${name}: ${right} of ${all.length} errors have those that the page gives`);
  for (const one of wrong.slice(0, Number(process.env.SHOW ?? 5))) {
    console.log(JSON.stringify(one, (field, value) => (field === "exception" ? undefined : value), 1).replace(/^/gm, "# "));
  }
  return all;
}

// As bench/fingerprint, both kinds of a level weigh the same.
function testPairs(level, least, pairs, keys) {
  const [same, different] = ["same", "different"].map((expect) => {
    const all = pairs.filter((pair) => pair.level === level && pair.expect === expect);
    const missed = all.filter(({ id }) => (keys.get(`${id} a`) === keys.get(`${id} b`)) !== (expect === "same"));
    for (const { id, reason } of missed) console.log(`# missed ${id}, ${expect}: ${reason}`);
    return 1 - missed.length / all.length;
  });
  const share = (same + different) / 2;
  report(share >= least, `pairs, ${level}: ${(100 * share).toFixed(1)} % are right, ${100 * least} % should be`);
}

execFileSync("dropdb", ["--if-exists", "--force", database], { stdio: "ignore" });
execFileSync("createdb", [database]);
try {
  psql("CREATE EXTENSION pg_vigil");
  const own = testKeys("test/data", errorsOf(join(root, "test/data")));
  testKeys("test/e2e/stacks", errorsOf(join(root, "test/e2e/stacks")));
  testKeys("captured stacks", errorsOf(process.env.VIGIL_STACKS ?? join(root, "../shared/data/stacks")));
  testKeys("made-up errors", madeUp(Number(process.env.MADE_UP ?? 3000)));
  const pairs = linesOf(join(root, "test/data/fingerprint_pairs.jsonl"));
  const keys = new Map(own.map(({ error, theirs }) => [error.id, theirs[0]]));
  testPairs("core", 0.97, pairs, keys);
  testPairs("stretch", 0.8, pairs, keys);
} finally {
  execFileSync("dropdb", ["--if-exists", "--force", database], { stdio: "ignore" });
}
console.log(`1..${number}`);
process.exitCode = failures === 0 ? 0 : 1;
