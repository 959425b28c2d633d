// Whose code a frame is: by the folders of its file, or by the package of its function.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/stack_line.hpp"
#include "core/word_set.hpp"

namespace vigil::stack {
namespace {

// Says whether a text begins with one of some prefixes. Only those with its first letter are looked
// at, and their first eight bytes tell most of them apart.
template <std::size_t kCount>
class PrefixSet {
 public:
  template <class... Texts>
  constexpr explicit PrefixSet(Texts... texts) {
    const std::string_view given[] = {texts...};
    for (std::size_t letter = 0, size = 0; letter < kLetters; ++letter) {
      for (const std::string_view text : given) {
        if (letter_of(text) == letter) prefixes_[size++] = Prefix(text);
      }
      ends_[letter] = static_cast<std::uint8_t>(size);
    }
  }

  bool begin(std::string_view text) const {
    if (text.empty()) return false;
    const std::size_t letter = letter_of(text);
    const std::size_t end = ends_[letter];
    std::size_t i = letter == 0 ? 0 : ends_[letter - 1];
    if (i == end) return false;
    std::array<char, kHead> bytes = {};
    std::memcpy(bytes.data(), text.data(), std::min(kHead, text.size()));
    const auto head = std::bit_cast<std::uint64_t>(bytes);
    for (; i < end; ++i) {
      if ((head & prefixes_[i].mask) == prefixes_[i].head && text.starts_with(prefixes_[i].text))
        return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t kHead = 8;
  static constexpr std::size_t kLetters = 32;

  struct Prefix {
    constexpr Prefix() = default;
    constexpr explicit Prefix(std::string_view prefix) : text(prefix) {
      std::array<char, kHead> bytes = {};
      std::array<unsigned char, kHead> ones = {};
      for (std::size_t i = 0; i < kHead && i < text.size(); ++i) {
        bytes[i] = text[i];
        ones[i] = 0xFF;
      }
      head = std::bit_cast<std::uint64_t>(bytes);
      mask = std::bit_cast<std::uint64_t>(ones);
    }
    std::string_view text;
    std::uint64_t head = 0;
    std::uint64_t mask = 0;
  };

  static constexpr std::size_t letter_of(std::string_view text) {
    return static_cast<unsigned char>(text.front()) % kLetters;
  }

  std::array<Prefix, kCount> prefixes_;
  std::array<std::uint8_t, kLetters> ends_ = {};
};

template <class... Texts>
PrefixSet(Texts...) -> PrefixSet<sizeof...(Texts)>;

constexpr WordSet kLibraryFolders("node_modules", "bower_components", "jspm_packages",
                                  "site-packages", "dist-packages", "gems", "vendor", ".cargo",
                                  ".pub-cache", "Pods", "Carthage", "unpkg.com", "esm.sh",
                                  "cdnjs.cloudflare.com", "cdn.jsdelivr.net", "code.jquery.com",
                                  "esm.run", ".nuget", ".yarn", "ajax.googleapis.com", ".rustup",
                                  "wp-includes", "wp-admin", "deno.land", "ga.jspm.io",
                                  "js.stripe.com", "www.googletagmanager.com",
                                  "www.google-analytics.com", "connect.facebook.net",
                                  "stackpath.bootstrapcdn.com", "maxcdn.bootstrapcdn.com");

constexpr PrefixSet kExtensionSchemes("chrome-extension:", "moz-extension:", "safari-extension:",
                                      "safari-web-extension:", "webkit-masked-url:");

constexpr PrefixSet kScriptRuntime("node:", "internal/", "ext:", "bun:", "self-hosted",
                                   "resource:", "chrome:", "native:", "InternalBytecode.js",
                                   "electron/js2c/");

// Of Node before it said `node:`.
constexpr WordSet kNodeFiles("assert.js", "buffer.js", "child_process.js", "domain.js", "events.js",
                             "fs.js", "module.js", "net.js", "node.js", "readline.js", "repl.js",
                             "stream.js", "timers.js", "tls.js", "util.js", "vm.js", "zlib.js",
                             "bootstrap_node.js");

constexpr PrefixSet kJvmRuntime("java.", "javax.", "jdk.", "sun.", "com.sun.", "kotlin.",
                                "kotlinx.", "scala.", "clojure.", "groovy.lang.", "android.",
                                "dalvik.", "com.android.internal.", "libcore.");

constexpr PrefixSet kJvmLibrary(
    "org.springframework.", "org.apache.", "org.hibernate.", "org.eclipse.", "org.jetbrains.",
    "org.junit.", "org.slf4j.", "org.codehaus.", "org.mockito.", "org.postgresql.", "io.netty.",
    "io.vertx.", "io.micrometer.", "io.grpc.", "io.ktor.", "com.fasterxml.", "com.google.",
    "com.zaxxer.", "com.mysql.", "ch.qos.logback.", "reactor.", "okhttp3.", "retrofit2.", "akka.",
    "androidx.", "jakarta.", "net.bytebuddy.", "org.gradle.", "play.", "rx.", "org.jboss.",
    "org.wildfly.", "org.aspectj.", "org.thymeleaf.", "org.quartz.", "org.elasticsearch.",
    "org.mongodb.", "com.mongodb.", "com.amazonaws.", "software.amazon.", "com.squareup.",
    "com.facebook.react.", "io.reactivex.", "io.sentry.", "io.quarkus.", "io.micronaut.",
    "io.undertow.", "io.lettuce.", "redis.clients.", "org.jooq.", "org.flywaydb.", "liquibase.",
    "org.testng.", "junit.", "dagger.", "com.typesafe.", "org.scalatest.", "feign.", "freemarker.",
    "org.glassfish.", "weblogic.", "com.ibm.", "oracle.", "org.h2.", "org.xml.", "org.w3c.",
    "cats.", "zio.", "graphql.", "com.netflix.", "org.opensaml.", "com.sun.jersey.",
    "com.newrelic.", "io.opentelemetry.");

constexpr PrefixSet kNetLibrary("Microsoft.EntityFrameworkCore.", "Newtonsoft.", "Npgsql.",
                                "Dapper.", "Serilog.", "Polly.", "MediatR.", "AutoMapper.",
                                "Hangfire.", "StackExchange.", "RabbitMQ.", "Swashbuckle.",
                                "FluentValidation.", "Grpc.", "Quartz.", "NLog.", "log4net.",
                                "MySql.", "MySqlConnector.", "MongoDB.", "Amazon.", "Autofac.",
                                "Castle.", "NHibernate.", "Xunit.", "NUnit.", "Moq.",
                                "MassTransit.", "Refit.", "Azure.");
constexpr PrefixSet kNetRuntime("System.", "Microsoft.", "UnityEngine.", "MS.Internal.", "Interop.",
                                "Internal.Runtime.", "Mono.");

constexpr PrefixSet kRustRuntime("std::", "core::", "alloc::", "rust_begin_unwind", "__rust",
                                 "<core::", "<alloc::", "<std::", "rust_panic", "_start",
                                 "__libc_start", "std::rt");

constexpr WordSet kGoPackages("archive", "bufio", "bytes", "compress", "context", "crypto",
                              "database", "encoding", "errors", "flag", "fmt", "go", "html",
                              "internal", "io", "log", "math", "net", "os", "panic", "path",
                              "reflect", "regexp", "runtime", "sort", "strconv", "strings", "sync",
                              "syscall", "testing", "text", "time", "unicode");

// Where the next / or \\ is, or the end: eight bytes at a time, as paths are most of a trace.
std::size_t next_separator(std::string_view path, std::size_t at) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHighBits = 0x8080808080808080;
    // The lowest bit that is left is of the first such byte; those above it may be wrong.
    const auto bytes_equal = [](std::uint64_t word, char wanted) {
      const std::uint64_t rest = word ^ (kOnes * static_cast<unsigned char>(wanted));
      return (rest - kOnes) & ~rest & kHighBits;
    };
    for (std::uint64_t word; at + sizeof word <= path.size(); at += sizeof word) {
      std::memcpy(&word, path.data() + at, sizeof word);
      const std::uint64_t found = bytes_equal(word, '/') | bytes_equal(word, '\\');
      if (found != 0) return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
  }
  while (at < path.size() && path[at] != '/' && path[at] != '\\') ++at;
  return at;
}

// What a folder and the one that it is in tell of one language only.
FrameKind kind_of_folder(Language language, std::string_view parent, std::string_view folder) {
  bool runtime = false;
  bool library = false;
  switch (language) {
    case Language::kGo:
      library = parent == "pkg" && folder == "mod";
      break;
    case Language::kPython:
      runtime = (parent == "lib" && folder.starts_with("python")) ||
                (parent.starts_with("Python3") && (folder == "lib" || folder == "Lib"));
      break;
    case Language::kRuby:
      runtime = parent == "lib" && folder == "ruby";
      break;
    case Language::kPerl:
      library = folder == "perl5" || folder == "site_perl" || folder == "vendor_perl";
      runtime = parent == "share" && folder == "perl";
      break;
    case Language::kLua:
      library = parent == "share" && folder == "lua";
      break;
    case Language::kBeam:
      library = folder == "deps";
      break;
    default:
      break;
  }
  return library ? FrameKind::kLibrary : runtime ? FrameKind::kRuntime : FrameKind::kApp;
}

// One pass over the folders of a path or URL. A library may be in a folder of the runtime.
FrameKind kind_of_path(Scan& scan, std::string_view path, Language language) {
  std::string_view parent;
  FrameKind kind = FrameKind::kApp;
  scan.count(path.size());
  for (std::size_t from = 0;;) {
    const std::size_t end = next_separator(path, from);
    if (end == path.size()) return kind;
    const std::string_view folder = path.substr(from, end - from);
    if (kLibraryFolders.contains(folder)) return FrameKind::kLibrary;
    const FrameKind told = kind_of_folder(language, parent, folder);
    if (told == FrameKind::kLibrary) return told;
    if (told == FrameKind::kRuntime) kind = told;
    parent = folder;
    from = end + 1;
  }
}

FrameKind kind_of_script(std::string_view file) {
  if (file.starts_with('/') || file.starts_with("http") || file.starts_with("file:"))
    return FrameKind::kApp;
  if (kScriptRuntime.begin(file)) return FrameKind::kRuntime;
  if (kExtensionSchemes.begin(file)) return FrameKind::kLibrary;
  const bool core =
      kNodeFiles.contains(file) || file.starts_with("_stream_") || file.starts_with("_http_");
  return core ? FrameKind::kRuntime : FrameKind::kApp;
}

FrameKind kind_of_name(Scan& scan, Language language, const StackFrame& frame) {
  const std::string_view name = frame.function;
  scan.count(name.size());
  switch (language) {
    case Language::kJavaScript:
      return kind_of_script(frame.file);
    case Language::kJvm:
      if (kJvmRuntime.begin(name)) return FrameKind::kRuntime;
      return kJvmLibrary.begin(name) ? FrameKind::kLibrary : FrameKind::kApp;
    case Language::kNet:
      if (kNetLibrary.begin(name)) return FrameKind::kLibrary;
      return kNetRuntime.begin(name) ? FrameKind::kRuntime : FrameKind::kApp;
    case Language::kGo: {
      const std::string_view package = name.substr(0, name.find_first_of("/."));
      return kGoPackages.contains(package) && package != name ? FrameKind::kRuntime
             : name == "panic"                                ? FrameKind::kRuntime
                                                              : FrameKind::kApp;
    }
    case Language::kRust:
      if (frame.file.starts_with("/rustc/") || kRustRuntime.begin(name)) return FrameKind::kRuntime;
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
    // Java says no folders.
    if (origin == FrameKind::kApp && language != Language::kJvm && !frame.file.empty())
      origin = kind_of_path(scan, frame.file, language);
  }
  const bool is_empty =
      frame.function.empty() && frame.file.empty() && frame.line == StackFrame::kNone;
  frame.in_app = origin == FrameKind::kApp && !is_empty;
  if (frame.kind == FrameKind::kApp) frame.kind = origin;
}

}  // namespace vigil::stack
