// Whose code a frame is: by the folders of its file, or by the package of its function.
#include <algorithm>
#include <span>

#include "core/stack_line.hpp"

namespace vigil::stack {
namespace {

// The first letter tells most texts apart without a call.
bool begins_with_any(std::string_view text, std::span<const std::string_view> prefixes) {
  return !text.empty() &&
         std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
           return prefix.front() == text.front() && text.starts_with(prefix);
         });
}

bool is_any(std::string_view text, std::span<const std::string_view> names) {
  return !text.empty() && std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return name.front() == text.front() && name == text;
  });
}

constexpr std::string_view kLibraryFolders[] = {"node_modules",
                                                "bower_components",
                                                "jspm_packages",
                                                "site-packages",
                                                "dist-packages",
                                                "gems",
                                                "vendor",
                                                ".cargo",
                                                ".pub-cache",
                                                "Pods",
                                                "Carthage",
                                                "unpkg.com",
                                                "esm.sh",
                                                "cdnjs.cloudflare.com",
                                                "cdn.jsdelivr.net",
                                                "code.jquery.com",
                                                "esm.run",
                                                ".nuget",
                                                ".yarn",
                                                "ajax.googleapis.com"};

constexpr std::string_view kExtensionSchemes[] = {
    "chrome-extension:", "moz-extension:", "safari-extension:", "safari-web-extension:",
    "webkit-masked-url:"};

constexpr std::string_view kScriptRuntime[] = {
    "node:",         "internal/",   "ext:",
    "bun:",          "self-hosted", "resource:",
    "chrome:",       "native:",     "InternalBytecode.js",
    "electron/js2c/"};

// Of Node before it said `node:`.
constexpr std::string_view kNodeFiles[] = {
    "assert.js", "buffer.js", "child_process.js", "domain.js",   "events.js", "fs.js",
    "module.js", "net.js",    "node.js",          "readline.js", "repl.js",   "stream.js",
    "timers.js", "tls.js",    "util.js",          "vm.js",       "zlib.js",   "bootstrap_node.js"};

constexpr std::string_view kJvmRuntime[] = {"java.",
                                            "javax.",
                                            "jdk.",
                                            "sun.",
                                            "com.sun.",
                                            "kotlin.",
                                            "kotlinx.",
                                            "scala.",
                                            "clojure.",
                                            "groovy.lang.",
                                            "android.",
                                            "dalvik.",
                                            "com.android.internal.",
                                            "libcore."};

constexpr std::string_view kJvmLibrary[] = {"org.springframework.",
                                            "org.apache.",
                                            "org.hibernate.",
                                            "org.eclipse.",
                                            "org.jetbrains.",
                                            "org.junit.",
                                            "org.slf4j.",
                                            "org.codehaus.",
                                            "org.mockito.",
                                            "org.postgresql.",
                                            "io.netty.",
                                            "io.vertx.",
                                            "io.micrometer.",
                                            "io.grpc.",
                                            "io.ktor.",
                                            "com.fasterxml.",
                                            "com.google.",
                                            "com.zaxxer.",
                                            "com.mysql.",
                                            "ch.qos.logback.",
                                            "reactor.",
                                            "okhttp3.",
                                            "retrofit2.",
                                            "akka.",
                                            "androidx.",
                                            "jakarta.",
                                            "net.bytebuddy.",
                                            "org.gradle.",
                                            "play.",
                                            "rx."};

constexpr std::string_view kNetLibrary[] = {"Microsoft.EntityFrameworkCore.", "Newtonsoft.",
                                            "Npgsql.", "Dapper.", "Serilog."};
constexpr std::string_view kNetRuntime[] = {"System.", "Microsoft.", "UnityEngine."};

constexpr std::string_view kRustRuntime[] = {
    "std::",  "core::",     "alloc::", "rust_begin_unwind", "__rust", "<core::", "<alloc::",
    "<std::", "rust_panic", "_start",  "__libc_start",      "std::rt"};

constexpr std::string_view kGoPackages[] = {
    "archive",  "bufio",   "bytes",   "compress", "context", "crypto",  "database",
    "encoding", "errors",  "flag",    "fmt",      "go",      "html",    "internal",
    "io",       "log",     "math",    "net",      "os",      "panic",   "path",
    "reflect",  "regexp",  "runtime", "sort",     "strconv", "strings", "sync",
    "syscall",  "testing", "text",    "time",     "unicode"};

// One pass over the folders of a path or URL.
FrameKind kind_of_path(Scan& scan, std::string_view path, Language language) {
  std::string_view before;
  bool runtime = false;
  scan.count(path.size());
  for (std::size_t from = 0; from < path.size();) {
    std::size_t end = from;
    while (end < path.size() && path[end] != '/' && path[end] != '\\') ++end;
    const std::string_view folder = path.substr(from, end - from);
    if (end < path.size()) {
      if (is_any(folder, kLibraryFolders)) return FrameKind::kLibrary;
      if (before == "pkg" && folder == "mod") return FrameKind::kLibrary;
      if (before == "lib" && language == Language::kPython && folder.starts_with("python"))
        runtime = true;
      if (before.starts_with("Python3") && (folder == "lib" || folder == "Lib")) runtime = true;
      if (before == "lib" && folder == "ruby") runtime = true;
      before = folder;
    }
    from = end + 1;
  }
  return runtime ? FrameKind::kRuntime : FrameKind::kApp;
}

FrameKind kind_of_script(std::string_view file) {
  if (file.starts_with('/') || file.starts_with("http") || file.starts_with("file:"))
    return FrameKind::kApp;
  if (begins_with_any(file, kScriptRuntime)) return FrameKind::kRuntime;
  if (begins_with_any(file, kExtensionSchemes)) return FrameKind::kLibrary;
  const bool core =
      is_any(file, kNodeFiles) || file.starts_with("_stream_") || file.starts_with("_http_");
  return core ? FrameKind::kRuntime : FrameKind::kApp;
}

FrameKind kind_of_name(Scan& scan, Language language, const StackFrame& frame) {
  const std::string_view name = frame.function;
  scan.count(name.size());
  switch (language) {
    case Language::kJavaScript:
      return kind_of_script(frame.file);
    case Language::kJvm:
      if (begins_with_any(name, kJvmRuntime)) return FrameKind::kRuntime;
      return begins_with_any(name, kJvmLibrary) ? FrameKind::kLibrary : FrameKind::kApp;
    case Language::kNet:
      if (begins_with_any(name, kNetLibrary)) return FrameKind::kLibrary;
      return begins_with_any(name, kNetRuntime) ? FrameKind::kRuntime : FrameKind::kApp;
    case Language::kGo: {
      const std::string_view package = name.substr(0, name.find_first_of("/."));
      return is_any(package, kGoPackages) && package != name ? FrameKind::kRuntime
             : name == "panic"                               ? FrameKind::kRuntime
                                                             : FrameKind::kApp;
    }
    case Language::kRust:
      if (frame.file.starts_with("/rustc/") || begins_with_any(name, kRustRuntime))
        return FrameKind::kRuntime;
      return frame.line == StackFrame::kNone ? FrameKind::kNative : FrameKind::kApp;
    case Language::kDart:
      if (frame.file.starts_with("dart:")) return FrameKind::kRuntime;
      return frame.file.starts_with("package:flutter/") ? FrameKind::kLibrary : FrameKind::kApp;
    case Language::kNative:
      return frame.line == StackFrame::kNone ? FrameKind::kNative : FrameKind::kApp;
    case Language::kPython:
      return frame.file.starts_with("<frozen ") ? FrameKind::kRuntime : FrameKind::kApp;
    case Language::kRuby:
      return frame.file.starts_with("<internal:") ? FrameKind::kRuntime : FrameKind::kApp;
    case Language::kBeam:
      return frame.function.starts_with(':') ? FrameKind::kRuntime : FrameKind::kApp;
    case Language::kPhp:
    case Language::kPostgres:
    case Language::kPerl:
    case Language::kLua:
      break;
  }
  return FrameKind::kApp;
}

}  // namespace

void classify(Scan& scan, Language language, StackFrame& frame) {
  frame.language = language;
  FrameKind origin = frame.kind;
  if (origin == FrameKind::kApp || origin == FrameKind::kEval) {
    origin = kind_of_name(scan, language, frame);
    if (origin == FrameKind::kApp && !frame.file.empty())
      origin = kind_of_path(scan, frame.file, language);
  }
  const bool is_empty =
      frame.function.empty() && frame.file.empty() && frame.line == StackFrame::kNone;
  frame.in_app = origin == FrameKind::kApp && !is_empty;
  if (frame.kind == FrameKind::kApp) frame.kind = origin;
}

}  // namespace vigil::stack
