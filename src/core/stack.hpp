// Reads the text of a stack trace, whatever language or engine printed it, into frames.
//
// One pass over the lines; each line is told by how it looks, so that mixed traces are read too. No
// locale, no regular expressions, and an effort that is linear in the input whatever it holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <vector>

namespace vigil {

enum class FrameKind : std::uint8_t {
  kApp,
  kLibrary,  // what a package manager or a CDN brought
  kRuntime,  // the language's own library, written in the language
  kNative,   // the engine itself: there is no source
  kEval,     // made from text while running; file and line are where that was done
};

// Whose way of printing a frame it was.
enum class StackLanguage : std::uint8_t {
  kJavaScript,
  kJvm,
  kNet,
  kPython,
  kRuby,
  kPhp,
  kGo,
  kRust,
  kDart,
  kNative,
  kPostgres,
  kPerl,
  kLua,
  kBeam,  // Elixir and Erlang
};

// app, library, runtime, native or eval.
std::string_view name_of(FrameKind kind);

// javascript, jvm, dotnet, python, ruby, php, go, rust, dart, native, postgresql, perl, lua, beam.
std::string_view name_of(StackLanguage language);

// The views are into the text that was read, or into constants.
struct StackFrame {
  static constexpr std::int32_t kNone = -1;

  std::string_view function;  // empty: it has no name
  std::string_view file;      // as printed; empty: not said
  std::int32_t line = kNone;
  std::int32_t column = kNone;
  FrameKind kind = FrameKind::kApp;
  StackLanguage language = StackLanguage::kJavaScript;
  bool in_app = true;
  std::string_view raw;  // the line, or both lines where a frame takes two
};

// What the reporter knows of the error besides its stack; may be empty. Text of the message that
// looks like frames is not read as such.
struct StackHeader {
  std::string_view name;
  std::string_view message;
};

inline constexpr std::size_t kMaxStackFrames = 100'000;  // what follows is left out
inline constexpr std::size_t kMaxStackLine = 65'536;     // a longer line is no frame

// Appends the frames of the text, the one that threw first. A cause stands where the text has it.
// Only the vector takes memory. The result is the work done: how often a byte was looked at.
//
// Who needs no more than the first frames of the application says how many. JavaScript, Java and
// .NET print them first: what follows them is passed by unread, up to the next line that is no
// frame, such as the header of a cause. Each exception of a chain so keeps at least its first ones.
std::size_t parse_stack(std::string_view text, const StackHeader& header,
                        std::pmr::vector<StackFrame>& frames,
                        std::size_t app_frames = kMaxStackFrames);

}  // namespace vigil
