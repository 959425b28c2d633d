#include "core/fingerprint_chain.hpp"

#include <algorithm>

#include "core/stack_line.hpp"

namespace vigil {
namespace {

using namespace vigil::stack;

constexpr std::size_t kNone = std::string_view::npos;

// `Name` of `Name: message` and of a name alone.
std::string_view name_in(std::string_view header) {
  header = header.substr(0, header.find('\n'));
  return trim(header.substr(0, header.find_first_of(": \r\n(")));
}

class Reader {
 public:
  Reader(std::string_view stack, std::pmr::vector<ChainLink>& chain)
      : stack_(stack), chain_(chain) {}

  std::size_t run() {
    chain_.push_back({0, 0, false, {}});
    for (std::size_t at = 0; at < stack_.size();) {
      const std::size_t end = std::min(stack_.find('\n', at), stack_.size());
      work_ += end - at + 1;
      read(at, end);
      at = end + 1;
    }
    return work_;
  }

 private:
  void read(std::size_t from, std::size_t end) {
    std::size_t at = from;
    while (at < end && is_blank(stack_[at])) ++at;
    const std::string_view line = stack_.substr(at, end - at);
    if (line.size() < 6) return;
    switch (line.front()) {
      case 'C':
        if (line.starts_with("Caused by: ")) cause(from, at - from, line.substr(11));
        break;
      case '[':
        if (line.starts_with("[cause]: ")) cause(from, at - from, line.substr(9));
        break;
      case 'S':
        if (line.starts_with("Suppressed: ")) suppressed(from, at - from);
        break;
      case 'T':
        if (line.starts_with("The above exception was the direct cause of")) wrapped(from, end);
        break;
      case 'D':
        if (line.starts_with("During handling of the above exception")) wrapped(from, end);
        break;
      case '-':
        if (line.starts_with("--- End of inner exception stack trace")) inner_end(from, end);
        break;
      case 'N':
        if (at == from && line.starts_with("Next ") && is_php_before(from)) next(end, line);
        break;
      case 'g':
        if (line.starts_with("goroutine ") && line.find(" [") != kNone) goroutine(from);
        break;
      default:
        break;
    }
  }

  // What was read since the last exception began.
  std::string_view text_before(std::size_t from) {
    work_ += from - chain_.back().from;
    return stack_.substr(chain_.back().from, from - chain_.back().from);
  }

  // The trace of the cause follows.
  void cause(std::size_t from, std::size_t indent, std::string_view header) {
    if (chain_.back().aside && indent >= aside_indent_) return;  // of what was suppressed
    chain_.push_back({from, ++deepest_, false, name_in(header)});
  }

  void suppressed(std::size_t from, std::size_t indent) {
    if (chain_.back().aside && indent >= aside_indent_) return;
    aside_indent_ = indent;
    chain_.push_back({from, 0, true, {}});
  }

  // The trace before was the cause of the one that follows.
  void outer(std::size_t from, std::string_view name) {
    if (chain_.back().name.empty()) chain_.back().name = name;
    chain_.push_back({from, chain_.back().depth - 1, false, {}});
  }

  // Python: the last line before has the name of the cause.
  void wrapped(std::size_t from, std::size_t end) {
    const std::string_view before = trim(text_before(from));
    std::size_t line = before.size();
    // A message may have lines of its own: the name stands in the first line without indentation.
    std::string_view header;
    for (int tries = 0; tries < 64 && line > 0; ++tries) {
      const std::size_t start = before.rfind('\n', line - 1) + 1;
      const std::string_view text = before.substr(start, line - start);
      if (text.empty() || is_blank(text.front())) break;
      header = text;
      line = start == 0 ? 0 : start - 1;
    }
    outer(end, name_in(header));
  }

  // .NET: `Outer: message ---> Inner: message` and the frames of the inner one.
  void inner_end(std::size_t from, std::size_t end) {
    const std::string_view before = text_before(from);
    const std::size_t arrow = before.rfind("---> ");
    outer(end, arrow == kNone ? std::string_view() : name_in(before.substr(arrow + 5)));
  }

  bool is_php_before(std::size_t from) {
    const std::size_t last = stack_.find_last_not_of(" \r\n", from == 0 ? 0 : from - 1);
    work_ += from - (last == kNone ? 0 : last);
    return last != kNone && stack_.substr(0, last + 1).ends_with("{main}");
  }

  void next(std::size_t end, std::string_view line) {
    std::string_view header = trim(text_before(end));
    for (const std::string_view prefix : {"PHP ", "Fatal error: ", "Uncaught ", "Next "}) {
      if (take_front(header, prefix)) header = trim(header);
    }
    outer(end, name_in(header));
    chain_.back().name = name_in(line.substr(5));
  }

  void goroutine(std::size_t from) {
    if (goroutines_++ > 0) chain_.push_back({from, 0, true, {}});
  }

  std::string_view stack_;
  std::pmr::vector<ChainLink>& chain_;
  int deepest_ = 0;
  std::size_t aside_indent_ = 0;
  int goroutines_ = 0;
  std::size_t work_ = 0;
};

}  // namespace

std::size_t find_chain(std::string_view stack, std::pmr::vector<ChainLink>& chain) {
  return Reader(stack, chain).run();
}

const ChainLink& link_of(std::string_view stack, const std::pmr::vector<ChainLink>& chain,
                         const StackFrame& frame) {
  if (chain.size() == 1) return chain.front();
  const auto at = static_cast<std::size_t>(frame.raw.data() - stack.data());
  const auto after = std::upper_bound(
      chain.begin(), chain.end(), at,
      [](std::size_t offset, const ChainLink& link) { return offset < link.from; });
  return *(after == chain.begin() ? after : after - 1);
}

}  // namespace vigil
